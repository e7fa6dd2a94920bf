% A task program: centre-out reaching with targets that this program sets, for a session with the task `external`.
%
%     decoderd run outside.toml --serve --speed lockstep --participant task=tick --out runs/outside
%     octave-cli -q examples/task.m tcp://127.0.0.1:PORT          (the control endpoint that it prints)
%
% It takes part in lockstep as `task`: every tick waits for it, so the session is as repeatable as one without it.
1; % a script

function session = step(session, inputs)
% Grant one more tick, with inputs, and wait until it is over.
  if session.over
    return
  end
  session.until = session.until + 1;
  request = struct('participant', 'task', 'until', session.until);
  request.inputs = inputs;
  request.want = {'tick', 'trial'};
  try
    reply = decoderd.ask(session.control, 'grant', request);
  catch problem
    session.over = strcmp(problem.identifier, 'decoderd:over');
    if ~session.over
      rethrow(problem);
    end
    return
  end
  for refused = reply.refused
    fprintf(stderr, 'refused: %s\n', decoderd.value(refused{1}, 'message'));
  end
  for place = 1:numel(reply.topics)
    message = decoderd.recorded(reply.topics{place}, reply.frames{place});
    if strcmp(message.topic, 'tick')
      session.cursor = message.cursor;
    else
      printf('trial %d: %s\n', message.trial, message.outcome);
      fflush(stdout);
    end
  end
  session.over = any(strcmp(reply.state, {'done', 'stopped', 'failed'}));
end

function session = run_trial(session, trial)
% Rest, reach, hold.
  targets = 8; distance_m = 0.06; radius_m = 0.02;
  hold_ticks = 5; timeout_ticks = 300; rest_ticks = 20;
  index = mod(trial, targets);
  angle = 2 * pi * index / targets;
  target = [distance_m * cos(angle), distance_m * sin(angle)];
  for tick = 1:rest_ticks
    session = step(session, {});
  end
  begin = struct('op', 'task', 'event', 'start');
  go = struct('op', 'task', 'event', 'go', 'target', target, 'radius_m', radius_m, 'index', index);
  session = step(session, {begin, go});
  held = 0;
  waited = 0;
  while held < hold_ticks && waited < timeout_ticks && ~session.over
    inside = norm(session.cursor(1:2) - target) < radius_m;
    held = inside * (held + 1);
    waited = waited + 1;
    session = step(session, {});
  end
  outcomes = {'reach_timeout', 'success'};
  session = step(session, {struct('op', 'task', 'event', 'end', 'outcome', outcomes{1 + (held >= hold_ticks)})});
end

addpath(fileparts(fileparts(mfilename('fullpath'))));
pkg load zeromq
given = argv();
if numel(given) ~= 1
  fprintf(stderr, 'usage: octave-cli -q examples/task.m CONTROL, such as tcp://127.0.0.1:5571\n');
  exit(2);
end
try
  control = decoderd.open(given{1});
  description = decoderd.ask(control, 'describe');
  session = step(struct('control', control, 'until', description.tick, 'cursor', [], 'over', false), {});
  trial = 0;
  while ~session.over
    session = run_trial(session, trial);
    trial = trial + 1;
  end
catch problem
  fprintf(stderr, '%s\n', problem.message);
  exit(1);
end
