function [message, passed_over] = read(frames)
% READ  A message of three frames, each a row of uint8: see DECODERD.RECORDED.
%
% [] for frames that are to be ignored: because of their number (`frames`), their `topic`, as `malformed`, or because
% of a key that is missing or has a wrong type (`keys`). Then `passed_over` says which.
  message = [];
  passed_over = 'frames';
  if numel(frames) ~= 3
    return
  end
  passed_over = 'topic';
  topic = regexprep(char(frames{1}), '^decoderd\.2\.', '');
  if numel(topic) == numel(frames{1}) || ~any(strcmp(decoderd.topics(), topic))
    return
  end
  try
    stamp = decoderd.decode(frames{3});
    read = decoderd.recorded(topic, frames{2});
    read.incarnation = decoderd.value(stamp, 'i');
    read.sent_ns = decoderd.value(stamp, 't');
    message = read;
    passed_over = '';
  catch problem
    passed_over = regexprep(problem.identifier, {'^decoderd:', '^key$'}, {'', 'keys'});
    if ~any(strcmp(passed_over, {'malformed', 'keys'}))
      rethrow(problem);
    end
  end
end
