function table = topics(topic)
% TOPICS  The fields of a topic: rows of key, whole name, type, and whether it may be nil. Without an argument: the names
% of all topics.
  persistent tables
  if isempty(tables)
    tables = struct();
    every = 's:session:text q:sequence:count k:tick:count ';
    own = {
      'tick', ['d:day:count b:block:count r:trial:count p:phase:count t:goal:pair? c:cursor:four v:decoded_velocity:pair ' ...
               'i:intended_velocity:pair']
      'counts', 'c:channel:text n:shape:shape e:dtype:text y:data:bytes'
      'task', 'r:trial:count p:phase:count g:target_index:integer t:goal:pair?'
      'trial', ['d:day:integer b:block:integer r:trial:count g:target_index:integer t:target:pair? a:start_tick:count ' ...
                'o:go_tick:integer x:outcome:text w:perturbations:texts']
      'plasticity', 'n:updates:count l:loss:number z:change_norm:number m:reason:text'
      'decoder', 'w:source:text x:event:text m:reason:text f:shapes:map u:readouts:list?'
      'perturbation', 'w:name:text x:event:text f:config:map'
      'metrics', 'w:source:text d:day:count f:values:map'
      'day', 'd:day:integer b:block:integer x:event:text w:block_name:text n:trials:count u:successes:count'
      'health', ['n:ticks:count z:wall_s:number l:lateness_us:three? u:duration_us:three? m:missed_deadlines:count ' ...
                 'c:clipped:count']
      'session', 'x:event:text i:run:count f:first_tick:count w:detail:text'};
    for row = 1:size(own, 1)
      parts = regexp([every, own{row, 2}], '(\w+):(\w+):(\w+)(\??)', 'tokens');
      tables.(own{row, 1}) = vertcat(parts{:});
    end
  end
  if nargin == 0
    table = fieldnames(tables)';
  elseif isfield(tables, topic)
    table = tables.(topic);
  else
    error('decoderd:topic', 'there is no topic %s; there are %s', topic, strjoin(fieldnames(tables)', ', '));
  end
end
