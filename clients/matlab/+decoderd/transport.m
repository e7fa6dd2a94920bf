function result = transport(what, varargin)
% TRANSPORT  The sockets. This is the only file that uses the Octave package zeromq.
%
%   socket = transport('control', endpoint, keys)
%   socket = transport('stream', endpoint, keys, subscriptions)
%   transport('send', socket, bytes)
%   frames = transport('receive', socket, timeout_s)       {} when the time is up
%   transport('close', socket)
%
% In MATLAB, put the calls of your ZeroMQ binding here.
  result = [];
  switch what
    case 'control'
      result = connected(ZMQ_DEALER, varargin{1}, varargin{2}, {});
    case 'stream'
      result = connected(ZMQ_SUB, varargin{:});
    case 'send'
      zmq_send(varargin{1}, varargin{2});
    case 'receive'
      result = frames_of(varargin{1}, varargin{2});
    case 'close'
      zmq_close(varargin{1});
  end
end

function socket = connected(type, endpoint, keys, subscriptions)
  socket = zmq_socket(type);
  if ~isempty(keys)
    if any(structfun(@numel, keys) ~= 40)
      error('decoderd:keys', 'a key is text of 40 characters');
    end
    zmq_setsockopt(socket, ZMQ_CURVE_SERVERKEY, keys.server_key);
    zmq_setsockopt(socket, ZMQ_CURVE_PUBLICKEY, keys.public_key);
    zmq_setsockopt(socket, ZMQ_CURVE_SECRETKEY, keys.secret_key);
  end
  for place = 1:numel(subscriptions)
    zmq_setsockopt(socket, ZMQ_SUBSCRIBE, subscriptions{place});
  end
  try
    zmq_connect(socket, endpoint);
  catch
    error('decoderd:endpoint', '%s is no endpoint: right is tcp://HOST:PORT', endpoint);
  end
end

function frames = frames_of(socket, timeout_s)
  largest = 2 ^ 20; % bytes of a frame; the package takes memory for as many
  frames = {};
  more = zmq_poll(socket, round(1000 * timeout_s));
  while more
    frames{end + 1} = zmq_recv(socket, largest);
    if numel(frames{end}) == largest
      error('decoderd:large', 'a frame has more than %d bytes', largest - 1);
    end
    more = zmq_getsockopt(socket, ZMQ_RCVMORE);
  end
end
