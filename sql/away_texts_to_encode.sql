-- One row per text away from home, with the digest of the text that an encoder asks for (MD5, as in texts).
select kind, id, text, md5(text) as text_hash
from {{ ref('away_texts') }}
