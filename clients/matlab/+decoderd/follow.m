function follower = follow(control, topics, from_start)
% FOLLOW  Follow topics of a session, a cell of their names, from now on or from the session's start.
%
% Take the messages with [message, follower] = DECODERD.NEXT(follower, timeout_s).
  cellfun(@decoderd.topics, topics, 'UniformOutput', false); % each is one
  subscribed = unique([topics, {'session'}]); % which says when the session has ended
  description = decoderd.ask(control, 'describe');
  names = cellfun(@(topic) ['decoderd.2.', topic], subscribed, 'UniformOutput', false);
  none = zeros(1, numel(subscribed));
  follower = struct('control', control, 'wanted', {topics}, 'topics', {subscribed}, 'expected', none, 'until', none, ...
                    'newest', none, 'incarnation', description.incarnation, 'fetched', {{}}, 'fetched_topic', 0, 'taken', 0, ...
                    'arrived', [], 'quiet_since', tic(), 'over', false, 'caught_up', false);
  follower.socket = decoderd.transport('stream', description.stream, control.keys, names);
  follower.until = cellfun(@(topic) decoderd.value(description.next, topic, 0), subscribed);
  if nargin < 3 || ~from_start
    follower.expected = follower.until;
  end
end
