function found = value(map, key, missing)
% VALUE  What a map of DECODERD.DECODE has for a key; `missing` if it has none.
  place = find(strcmp(map.keys, key), 1, 'last'); % of a key that comes twice the last counts
  if ~isempty(place)
    found = map.values{place};
  elseif nargin > 2
    found = missing;
  else
    error('decoderd:key', 'there is no key %s; there are %s', key, strjoin(map.keys, ', '));
  end
end
