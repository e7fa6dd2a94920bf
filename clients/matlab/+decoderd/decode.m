function map = decode(bytes)
% DECODE  The map of a payload, a stamp, a request or a reply, from its bytes (a row of uint8).
%
% A map is a struct with `keys` and `values`, two rows of cells; DECODERD.VALUE finds a key. A list is a row of cells, nil
% is [], bytes are a row of uint8. Numbers are double; integers beyond 2^53, which a double would round, are uint64 or
% int64. Raises decoderd:malformed for bytes that are not one map with text keys and nothing more.
  [map, at] = value_at(bytes, 1, 32); % maps and lists in one another: more than the protocol has
  if at <= numel(bytes) || ~isstruct(map) || ~isfield(map, 'keys')
    malformed('not one map');
  end
end

function malformed(why)
  error('decoderd:malformed', '%s', why);
end

function [value, at] = value_at(bytes, at, depth)
  room(bytes, at, 1);
  first = double(bytes(at));
  at = at + 1;
  if first < 128
    value = first;
  elseif first < 144
    [value, at] = map_at(bytes, at, first - 128, depth);
  elseif first < 160
    [value, at] = list_at(bytes, at, first - 144, depth);
  elseif first < 192
    [value, at] = text_at(bytes, at, first - 160);
  elseif first >= 224
    value = first - 256;
  else
    [value, at] = long_at(bytes, at, first, depth);
  end
end

function [value, at] = long_at(bytes, at, first, depth)
  switch first
    case 192 % nil
      value = [];
    case {194, 195} % false, true
      value = first == 195;
    case {196, 197, 198} % bytes
      [size, at] = unsigned_at(bytes, at, 2 ^ (first - 196));
      room(bytes, at, size);
      value = bytes(at:at + size - 1);
      at = at + size;
    case {199, 200, 201} % extension
      [size, at] = unsigned_at(bytes, at, 2 ^ (first - 199));
      [value, at] = extension_at(bytes, at, size + 1);
    case 202 % float 32
      room(bytes, at, 4);
      value = double(typecast(bytes(at + 3:-1:at), 'single'));
      at = at + 4;
    case 203 % float 64
      room(bytes, at, 8);
      value = typecast(bytes(at + 7:-1:at), 'double');
      at = at + 8;
    case {204, 205, 206, 207}
      [value, at] = unsigned_at(bytes, at, 2 ^ (first - 204));
    case {208, 209, 210, 211}
      [value, at] = signed_at(bytes, at, 2 ^ (first - 208));
    case {212, 213, 214, 215, 216} % extension
      [value, at] = extension_at(bytes, at, 2 ^ (first - 212) + 1);
    case {217, 218, 219}
      [size, at] = unsigned_at(bytes, at, 2 ^ (first - 217));
      [value, at] = text_at(bytes, at, size);
    case {220, 221}
      [size, at] = unsigned_at(bytes, at, 2 ^ (first - 219));
      [value, at] = list_at(bytes, at, size, depth);
    case {222, 223}
      [size, at] = unsigned_at(bytes, at, 2 ^ (first - 221));
      [value, at] = map_at(bytes, at, size, depth);
    otherwise
      malformed('a byte that MessagePack never uses');
  end
end

function room(bytes, at, size)
  if size > numel(bytes) - at + 1
    malformed('cut off');
  end
end

function [value, at] = unsigned_at(bytes, at, size)
  room(bytes, at, size);
  if size < 8
    value = 0;
    for place = at:at + size - 1
      value = 256 * value + double(bytes(place));
    end
  else
    value = exact(typecast(bytes(at + 7:-1:at), 'uint64'));
  end
  at = at + size;
end

function [value, at] = signed_at(bytes, at, size)
  room(bytes, at, size);
  types = {'int8', 'int16', '', 'int32', '', '', '', 'int64'};
  value = exact(typecast(bytes(at + size - 1:-1:at), types{size}));
  at = at + size;
end

function value = exact(integer)
  value = integer;
  if abs(integer) <= 2 ^ 53
    value = double(integer);
  end
end

function [value, at] = extension_at(bytes, at, size)
  room(bytes, at, size);
  value = struct('extension', bytes(at));
  at = at + size;
end

function [value, at] = list_at(bytes, at, size, depth)
  nested(bytes, at, size, depth);
  value = cell(1, size);
  for place = 1:size
    [value{place}, at] = value_at(bytes, at, depth - 1);
  end
end

function [value, at] = map_at(bytes, at, size, depth)
  nested(bytes, at, size, depth);
  keys = cell(1, size);
  values = cell(1, size);
  for place = 1:size
    [keys{place}, at] = value_at(bytes, at, depth - 1);
    if ~ischar(keys{place})
      malformed('a key is text');
    end
    [values{place}, at] = value_at(bytes, at, depth - 1);
  end
  value = struct('keys', {keys}, 'values', {values});
end

function nested(bytes, at, size, depth)
% Every item takes a byte at least, so no memory is taken for what is only announced.
  if depth == 0
    malformed('nested too deep');
  end
  room(bytes, at, size);
end

function [value, at] = text_at(bytes, at, size)
  room(bytes, at, size);
  text = bytes(at:at + size - 1);
  at = at + size;
  if any(text > 127)
    check_utf8(double(text));
    value = native2unicode(text, 'UTF-8');
  else
    value = char(text);
  end
end

function check_utf8(text)
  at = 1;
  while at <= numel(text)
    first = text(at);
    more = (first >= 194) + (first >= 224) + (first >= 240);
    rest = text(at + 1:min(at + more, numel(text)));
    wrong = (first >= 128 && first < 194) || first > 244 || numel(rest) < more || any(rest < 128 | rest > 191);
    % longer than needed, half of a pair of UTF-16, too large
    if wrong || (more > 1 && any(first == [224 237 240 244] & [rest(1) < 160, rest(1) > 159, rest(1) < 144, rest(1) > 143]))
      malformed('text that is not UTF-8');
    end
    at = at + 1 + more;
  end
end
