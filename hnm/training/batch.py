"""Groups that go through the model together, in the forms that losses take.

Texts are replaced by places: a query is the number of its group, a document its place among all documents of the batch,
positive first within each group. So a pair of texts that stands in two groups stays two pairs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch

Form = Literal["lists", "pairs", "triplets", "columns"]
Target = Literal["one_hot", "judged", "teacher"]
POSITIVE = "positive"
IN_BATCH = "in_batch"


@dataclass(frozen=True)
class Batch:
    """Some groups. `places`: per group, the places of its documents. `teacher`: a score per place, where there is one.

    `classes`: per place, `positive` or the strategy that gave the negative.
    """

    queries: list[str]
    documents: list[str]
    places: list[list[int]]
    classes: list[str]
    teacher: list[float] | None
    weights: list[float]

    @classmethod
    def of(cls, groups: Sequence[Mapping[str, Any]]) -> "Batch":
        """From rows of the file of examples."""
        documents = [[group["positive"], *group["negatives"]] for group in groups]
        classes = [[POSITIVE, *group["strategies"]] for group in groups]
        ends = torch.tensor([len(texts) for texts in documents]).cumsum(0).tolist()
        taught = all(group["teacher"] for group in groups)
        return cls(
            queries=[group["query"] for group in groups],
            documents=_flat(documents),
            places=[list(range(end - len(texts), end)) for end, texts in zip(ends, documents, strict=True)],
            classes=_flat(classes),
            teacher=_flat([group["teacher"] for group in groups]) if taught else None,
            weights=[group["weight"] for group in groups],
        )

    def pairs(self) -> list[tuple[int, int]]:
        """Every (group, place), in order."""
        return [(group, place) for group, places in enumerate(self.places) for place in places]

    def right(self) -> set[tuple[int, int]]:
        """Every (group, place) of a document that is a positive of the group's query, in this group or another."""
        answers: dict[str, set[str]] = {}
        for query, own in zip(self.queries, self.places, strict=True):
            answers.setdefault(query, set()).add(self.documents[own[0]])
        return {
            (group, place)
            for group, query in enumerate(self.queries)
            for place, text in enumerate(self.documents)
            if text in answers[query]
        }

    def inputs(self, form: Form, groups: Sequence[int]) -> list[Any]:
        """The columns that a loss of this form takes, for some of the groups.

        lists: queries, lists of documents. pairs: queries, documents. triplets: queries, positives, negatives, one row
        per negative. columns: queries, positives, and one column per negative; a group short of negatives repeats them.
        """
        places = [self.places[group] for group in groups]
        if form == "lists":
            return [list(groups), places]
        if form == "pairs":
            return _columns([(group, place) for group in groups for place in self.places[group]])
        if form == "triplets":
            return _columns([(group, self.places[group][0], n) for group in groups for n in self.places[group][1:]])
        width = max(len(own) for own in places) - 1
        rows = [(own[0], *(own[1 + i % (len(own) - 1)] for i in range(width))) for own in places]
        return [list(groups), *_columns(rows)]

    def labels(self, form: Form, target: Target, groups: Sequence[int]) -> Any:
        """What a loss of this form should find: a number per document, for triplets the positive's lead.

        one_hot: 0 and -inf, whose softmax puts all on the positive. judged: 1 and 0. teacher: its scores.
        """
        lists = [torch.tensor(self._target(target, self.places[group])) for group in groups]
        if form == "lists":
            return lists
        if form == "triplets":
            return torch.cat([values[0] - values[1:] for values in lists])
        return torch.cat(lists)

    def _target(self, target: Target, places: Sequence[int]) -> list[float]:
        if target == "teacher":
            if self.teacher is None:
                raise ValueError("the groups have no teacher's scores")
            return [self.teacher[place] for place in places]
        other = float("-inf") if target == "one_hot" else 0.0
        return [float(target == "judged")] + [other] * (len(places) - 1)


def _flat(lists: Sequence[Sequence[Any]]) -> list[Any]:
    return [entry for inner in lists for entry in inner]


def _columns(rows: Sequence[tuple[int, ...]]) -> list[list[int]]:
    return [list(column) for column in zip(*rows, strict=True)]
