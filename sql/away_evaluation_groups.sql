-- One row per query away from home and way of grouping, with its group: by template, among all queries of that
-- collection, as in evaluation_groups.
select query_id, grouping, "group"
from ({{ template_groups(source(var('away', 'away'), 'queries')) }})
semi join {{ ref('away_queries') }} as evaluated using (query_id)
