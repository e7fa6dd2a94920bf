function bytes = encode(value)
% ENCODE  The bytes (a row of uint8) of a value for a request.
%
% A struct, or a containers.Map with text keys, is a map; a cell or a vector of doubles is a list, so a list of one number
% is {1}; a row of char is text; [] is nil. Whole numbers are integers. A row of uint8 is bytes.
  if isa(value, 'containers.Map')
    bytes = map_bytes(value.keys(), value.values());
  elseif isstruct(value)
    bytes = map_bytes(fieldnames(value), struct2cell(value));
  elseif ischar(value)
    text = unicode2native(value, 'UTF-8');
    bytes = [head(219, numel(text)), text(:)'];
  elseif isa(value, 'uint8')
    bytes = [head(198, numel(value)), value(:)'];
  elseif islogical(value)
    bytes = uint8(194 + value);
  elseif iscell(value)
    parts = cellfun(@decoderd.encode, value(:)', 'UniformOutput', false);
    bytes = [head(221, numel(value)), parts{:}];
  elseif isempty(value)
    bytes = uint8(192);
  elseif ~isscalar(value)
    bytes = decoderd.encode(num2cell(value(:)'));
  elseif isa(value, 'uint64')
    bytes = [uint8(207), big(value)];
  elseif value == fix(value) && abs(value) <= 2 ^ 53
    bytes = [uint8(211), big(int64(value))];
  else
    bytes = [uint8(203), big(double(value))];
  end
end

function bytes = map_bytes(keys, values)
  parts = cell(2, numel(keys));
  for place = 1:numel(keys)
    parts(:, place) = {decoderd.encode(keys{place}); decoderd.encode(values{place})};
  end
  bytes = [head(223, numel(keys)), parts{:}];
end

function bytes = head(kind, size)
  bytes = [uint8(kind), big(uint32(size))];
end

function bytes = big(number)
  bytes = fliplr(typecast(number, 'uint8'));
end
