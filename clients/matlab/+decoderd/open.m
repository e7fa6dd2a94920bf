function control = open(endpoint, timeout_s, keys)
% OPEN  Control of a session, or of the supervisor, at an endpoint such as 'tcp://127.0.0.1:5571'.
%
% A request is sent three times, under one id, and waits `timeout_s` (5 if absent) each time. `keys`: a struct with
% server_key, public_key and secret_key, as in the file that `decoderd keys DIR --client NAME` made. End it with
% DECODERD.TRANSPORT('close', control.socket).
  if nargin < 2
    timeout_s = 5;
  end
  if nargin < 3
    keys = [];
  end
  control = struct('endpoint', endpoint, 'timeout_s', timeout_s, 'attempts', 3, 'keys', {keys}, ...
                   'socket', decoderd.transport('control', endpoint, keys));
end
