function message = recorded(topic, body)
% RECORDED  A message of the record, from the bytes of its payload. It has no stamp.
%
% A struct with `topic` and the topic's fields by the whole names of the protocol's tables: message.outcome. What may be
% nil is []; positions and velocities are rows. Besides `payload`, the map with its short keys, `body`, and `incarnation`
% and `sent_ns`, which are []. Raises decoderd:malformed, or decoderd:keys if a key is missing or has a wrong type.
  payload = decoderd.decode(body);
  table = decoderd.topics(topic);
  values = cell(size(table, 1), 1);
  for row = 1:size(table, 1)
    place = find(strcmp(payload.keys, table{row, 1}), 1, 'last');
    if isempty(place)
      error('decoderd:keys', '%s: the payload has no key %s', topic, table{row, 1});
    end
    values{row} = checked(payload.values{place}, table{row, 3}, ~isempty(table{row, 4}), table{row, 2});
  end
  names = [{'topic'; 'incarnation'; 'sent_ns'; 'payload'; 'body'}; table(:, 2)];
  message = cell2struct([{topic; []; []; payload; body}; values], names, 1);
end

function value = checked(value, type, may_be_nil, name)
  if may_be_nil && isa(value, 'double') && isempty(value)
    return
  end
  switch type
    case 'text'
      right = ischar(value);
    case 'bytes'
      right = isa(value, 'uint8');
    case 'integer'
      right = is_number(value) && value == fix(value);
    case 'count'
      right = is_number(value) && value == fix(value) && value >= 0;
    case 'number'
      right = is_number(value);
    case {'pair', 'three', 'four', 'shape'}
      size = struct('pair', 2, 'three', 3, 'four', 4, 'shape', 2);
      right = iscell(value) && numel(value) == size.(type) && all(cellfun(@is_number, value));
      if right
        value = [value{:}];
      end
    case 'texts'
      right = iscell(value) && all(cellfun(@ischar, value));
    case 'list'
      right = iscell(value);
    otherwise
      right = isstruct(value) && isfield(value, 'keys');
  end
  if ~right
    error('decoderd:keys', '%s is not of the type %s', name, type);
  end
end

function is = is_number(value)
  is = isscalar(value) && (isa(value, 'double') || isa(value, 'uint64') || isa(value, 'int64'));
end
