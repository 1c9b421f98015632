-- One row per evaluation query and document of its frozen first-stage list, which every model reranks: the first
-- evaluation_depth of evaluation_first_stage, a retriever or rrf. A right answer that it missed stays missed.
{{ ranked_list(var('evaluation_first_stage', 'bm25')) }}
