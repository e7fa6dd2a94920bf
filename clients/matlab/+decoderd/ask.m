function reply = ask(control, op, fields)
% ASK  Ask a service for an operation; `fields` of the request are a struct, see DECODERD.ENCODE.
%
% The reply is a struct of the reply's fields, and `frames`: the arrays or messages that follow it, each a row of uint8.
% A map in a reply is read with DECODERD.VALUE. A grant is waited for as long as the session answers at all. Raises
% decoderd:CODE for a request that was answered with an error, and decoderd:no_answer.
  if nargin < 3
    fields = struct();
  end
  again = any(strcmp(op, {'describe', 'get_decoder', 'missed', 'join'})); % of a session that is being prepared
  started = tic();
  while true
    try
      reply = exchange(control, op, fields);
      return
    catch problem
      over = toc(started) > control.attempts * control.timeout_s;
      if ~again || over || ~strcmp(problem.identifier, 'decoderd:busy')
        rethrow(problem);
      end
    end
  end
end

function reply = exchange(control, op, fields)
  id = unique_id();
  request = decoderd.encode(with_head(fields, id, op));
  patient = strcmp(op, 'grant'); % its reply may come late: the session's health is asked for with it, and any reply counts
  left = control.attempts;
  while left > 0
    if patient && left < control.attempts
      decoderd.transport('send', control.socket, decoderd.encode(with_head(struct(), 'health', 'health')));
    end
    decoderd.transport('send', control.socket, request);
    left = left - 1;
    frames = decoderd.transport('receive', control.socket, control.timeout_s);
    while ~isempty(frames)
      map = decoderd.decode(frames{1});
      if any(strcmp(decoderd.value(map, 'id'), {id, ''}))
        reply = answer(map, frames(2:end));
        return
      end
      if patient
        left = control.attempts;
      end
      frames = decoderd.transport('receive', control.socket, control.timeout_s);
    end
  end
  error('decoderd:no_answer', '%s did not answer to %s', control.endpoint, op);
end

function request = with_head(fields, id, op)
  request = fields;
  request.v = 2;
  request.id = id;
  request.op = op;
end

function reply = answer(map, frames)
  if decoderd.value(map, 'v') ~= 2
    error('decoderd:bad_version', 'the service speaks another version of the protocol: use the client that comes with it');
  end
  if ~decoderd.value(map, 'ok')
    problem = decoderd.value(map, 'error');
    error(['decoderd:', decoderd.value(problem, 'code')], '%s', decoderd.value(problem, 'message'));
  end
  reply = cell2struct([map.values, {frames}], [map.keys, {'frames'}], 2);
end

function id = unique_id()
% Random, and different in programs that draw the same random numbers.
  persistent count
  if isempty(count)
    count = 0;
  end
  count = count + 1;
  id = sprintf('%.0f-%.0f-%d', now() * 864e8, rand() * 2 ^ 53, count);
end
