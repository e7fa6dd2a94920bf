function [message, follower] = next(follower, timeout_s)
% NEXT  The next message of a session: every one once and in the order of its topic, whatever the socket dropped.
%
% Waits `timeout_s`, without end if it is absent. [] when the time is up, or when follower.caught_up says that the session
% has ended and every message was delivered. Raises decoderd:lost for messages that are not on the disk either.
  if nargin < 2
    timeout_s = Inf;
  end
  started = tic();
  message = [];
  while isempty(message)
    behind = find(follower.expected < follower.until, 1);
    left_s = timeout_s - toc(started);
    if follower.taken < numel(follower.fetched)
      [message, follower] = take_fetched(follower);
    elseif ~isempty(behind)
      follower = fetch(follower, behind);
    elseif ~isempty(follower.arrived)
      [message, follower] = take_arrived(follower);
    elseif follower.over && follower.caught_up
      return
    elseif follower.over
      follower = look(follower);
      follower.caught_up = true;
    elseif left_s < 0
      return
    else
      follower = listen(follower, left_s);
    end
  end
end

function follower = listen(follower, left_s)
  frames = decoderd.transport('receive', follower.socket, min(left_s, 1));
  if ~isempty(frames)
    follower.quiet_since = tic();
    follower.arrived = decoderd.read(frames);
  elseif toc(follower.quiet_since) >= 1
    follower = look(follower);
  end
end

function follower = look(follower)
% Find out what was published. A service that does not answer has gone, or is being resumed: the stream will show.
  follower.quiet_since = tic();
  try
    description = decoderd.ask(follower.control, 'describe');
    follower.until = cellfun(@(topic) decoderd.value(description.next, topic, 0), follower.topics);
  catch problem
    if ~strcmp(problem.identifier, 'decoderd:no_answer')
      rethrow(problem);
    end
  end
end

function follower = fetch(follower, place)
% Ask for what is missing of a topic. It is on the disk half a second after it was published.
  started = tic();
  request = struct('topic', follower.topics{place}, 'first', follower.expected(place));
  request.count = min(1000, follower.until(place) - follower.expected(place));
  reply = decoderd.ask(follower.control, 'missed', request);
  while isempty(reply.frames)
    if toc(started) > 30
      error('decoderd:lost', '%s from number %d is lost', request.topic, request.first);
    end
    pause(0.1);
    reply = decoderd.ask(follower.control, 'missed', request);
  end
  follower.fetched = reply.frames;
  follower.fetched_topic = place;
  follower.taken = 0;
end

function [message, follower] = take_fetched(follower)
  follower.taken = follower.taken + 1;
  topic = follower.topics{follower.fetched_topic};
  message = decoderd.recorded(topic, follower.fetched{follower.taken});
  [message, follower] = deliver(follower, message, follower.fetched_topic);
end

function [message, follower] = take_arrived(follower)
  arrived = follower.arrived;
  message = [];
  follower.arrived = [];
  place = find(strcmp(follower.topics, arrived.topic));
  if isempty(place)
    return
  end
  if any(strcmp(arrived.topic, {'health', 'session'})) && arrived.incarnation > follower.newest(place)
    % Those that were not stored before a crash are lost, and their numbers are used again.
    follower.newest(place) = arrived.incarnation;
    follower.expected(place) = min(follower.expected(place), arrived.sequence);
    follower.until(place) = follower.expected(place);
  end
  if arrived.sequence > follower.expected(place)
    follower.until(place) = arrived.sequence;
    follower.arrived = arrived;
  elseif arrived.sequence == follower.expected(place)
    [message, follower] = deliver(follower, arrived, place);
  end
end

function [message, follower] = deliver(follower, message, place)
% The message that is expected; [] if it was not asked for.
  follower.expected(place) = follower.expected(place) + 1;
  if strcmp(message.topic, 'session') % an end from before a resume ends nothing
    follower.incarnation = max(follower.incarnation, message.run);
    follower.over = any(strcmp(message.event, {'stopped', 'done', 'failed'})) && message.run == follower.incarnation;
    follower.caught_up = false;
  end
  if ~any(strcmp(follower.wanted, message.topic))
    message = [];
  end
end
