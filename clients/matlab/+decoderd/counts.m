function entries = counts(message)
% COUNTS  The entries of a `counts` message, ticks x units. Raises decoderd:counts if they are not all there.
  types = struct('u1', 'uint8', 'u2', 'uint16', 'f4', 'single', 'f8', 'double');
  size = str2double(message.dtype(end));
  if prod(message.shape) * size ~= numel(message.data)
    error('decoderd:counts', 'the data are not %d x %d entries of %d bytes', message.shape, size);
  end
  flat = double(typecast(message.data, types.(message.dtype(2:end))));
  entries = reshape(flat, message.shape(2), message.shape(1))';
end
