% Prints what it finds in the frames of the test vectors, which `decoderd wire --vectors vectors` writes:
%
%     octave-cli -q examples/dump.m < vectors/frames.txt | diff - vectors/dump.txt
1; % a script

function text = of_text(value)
  bytes = unicode2native(value, 'UTF-8');
  parts = num2cell(char(bytes));
  for place = find(bytes < 32 | bytes > 126 | bytes == double('"') | bytes == double('\'))
    parts{place} = sprintf('\\x%02x', bytes(place));
  end
  text = ['"', parts{:}, '"'];
end

function text = of_number(value)
  if ~isa(value, 'double')
    text = strtrim(disp(value));
  elseif isnan(value)
    text = 'nan';
  elseif isinf(value)
    text = regexprep(sprintf('%g', value), 'Inf', 'inf');
  elseif value == fix(value) && abs(value) <= 2 ^ 53
    text = sprintf('%.0f', value + 0);
  else
    text = ['0x', num2hex(value)];
  end
end

function text = of_map(keys, values)
  [~, order] = sort(cellfun(@(key) sprintf('%02x', unicode2native(key, 'UTF-8')), keys, 'UniformOutput', false));
  pairs = cellfun(@(key, value) [of_text(key), ': ', of_any(value)], keys(order), values(order), 'UniformOutput', false);
  text = ['{', strjoin(pairs, ', '), '}'];
end

function text = of_any(value)
  if ischar(value)
    text = of_text(value);
  elseif isa(value, 'uint8')
    text = ['#', sprintf('%02x', value)];
  elseif islogical(value)
    words = {'false', 'true'};
    text = words{1 + value};
  elseif iscell(value)
    text = ['[', strjoin(cellfun(@of_any, value, 'UniformOutput', false), ', '), ']'];
  elseif isstruct(value) && isfield(value, 'keys')
    text = of_map(value.keys, value.values);
  elseif isstruct(value)
    text = 'extension';
  elseif isempty(value)
    text = 'null';
  elseif isscalar(value)
    text = of_number(value);
  else
    text = of_any(num2cell(value));
  end
end

function bytes = of_hex(digits)
  bytes = zeros(1, 0, 'uint8');
  if ~strcmp(digits, '-')
    bytes = uint8(sscanf(digits, '%2x'))';
  end
end

function text = of_line(line)
  words = strsplit(strtrim(line), ' ');
  frames = cellfun(@of_hex, words(2:end), 'UniformOutput', false);
  if strcmp(words{1}, 'message')
    [message, passed_over] = decoderd.read(frames);
    if isempty(message)
      text = ['ignored: ', passed_over];
      return
    end
    table = decoderd.topics(message.topic);
    names = table(:, 2)';
    fields = of_map(names, cellfun(@(name) message.(name), names, 'UniformOutput', false));
    text = sprintf('message %s %s incarnation %s sent_ns %s', message.topic, fields, of_number(message.incarnation), ...
                   of_number(message.sent_ns));
    return
  end
  try
    map = decoderd.decode(frames{find(~cellfun(@isempty, frames), 1)});
    text = ['map ', of_map(map.keys, map.values)];
  catch
    text = 'malformed';
  end
end

addpath(fileparts(fileparts(mfilename('fullpath'))));
line = fgetl(stdin);
while ischar(line)
  if line(1) ~= '#'
    line = of_line(line);
  end
  printf('%s\n', line);
  line = fgetl(stdin);
end
