% Writes every message of the topics named as a line "topic payload-in-hex", from the session's start to its end:
% octave-cli -q examples/record.m tcp://127.0.0.1:PORT tick trial ...        (the control endpoint of the session)
addpath(fileparts(fileparts(mfilename('fullpath'))));
pkg load zeromq
given = argv();
if numel(given) < 2
  fprintf(stderr, 'usage: octave-cli -q examples/record.m CONTROL TOPIC ...\n');
  exit(2);
end
try
  follower = decoderd.follow(decoderd.open(given{1}), given(2:end)', true);
  [message, follower] = decoderd.next(follower);
  while ~isempty(message)
    printf('%s %s\n', message.topic, sprintf('%02x', message.body));
    fflush(stdout);
    [message, follower] = decoderd.next(follower);
  end
catch problem
  fprintf(stderr, '%s\n', problem.message);
  exit(1);
end
