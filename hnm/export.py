"""Write a table of the warehouse in the form that other tools read: TREC runs and qrels, BEIR folders."""
