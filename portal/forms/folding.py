"""Forms with fields that few need: those stand behind a line that opens (components/_folded.html)."""

from typing import ClassVar

from django import forms


class Folding(forms.Form):
    """``FOLDED`` are the names of these fields."""

    FOLDED: ClassVar[tuple[str, ...]] = ()

    @property
    def shown_fields(self) -> list[forms.BoundField]:
        return [field for field in self.visible_fields() if field.name not in self.FOLDED]

    @property
    def folded_fields(self) -> list[forms.BoundField]:
        return [field for field in self.visible_fields() if field.name in self.FOLDED]

    @property
    def is_unfolded(self) -> bool:
        """Whether one of them says something."""
        return any(field.value() or field.errors for field in self.folded_fields)
