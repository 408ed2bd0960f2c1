"""Markdown that people wrote, as HTML that can do no harm: HTML in it is shown as text, and what is left passes through
a sanitizer. Pictures become links, since pages load nothing from other hosts."""

from typing import Any, cast

import nh3
from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt

MAX = 512 * 1024  # characters; what is longer is shown as plain text
_TAGS = {
    *("h2", "h3", "h4", "h5", "h6", "p", "br", "hr", "blockquote", "pre", "code", "strong", "em", "s", "a"),
    *("ul", "ol", "li", "table", "thead", "tbody", "tr", "th", "td"),
}
_ATTRIBUTES = {"a": {"href", "title"}, "ol": {"start"}}
_SCHEMES = {"http", "https", "mailto"}
_parser = MarkdownIt("commonmark", {"html": False, "maxNesting": 30}).enable(["table", "strikethrough"])


def _picture(tokens: Any, index: int, options: Any, env: Any) -> str:
    token = tokens[index]
    source = str(token.attrGet("src") or "")
    words = token.content or source
    return f'<a href="{_escaped(source)}">{_escaped(words)}</a>'


def _escaped(text: str) -> str:
    return nh3.clean_text(text)


cast(Any, _parser.renderer).rules["image"] = _picture


def render(text: str) -> SafeString:
    """The page has a heading of its own: those of the text begin one level lower."""
    tokens = _parser.parse(text[:MAX])
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(6, int(token.tag[1]) + 1)}"
    written = _parser.renderer.render(tokens, _parser.options, {})
    clean = nh3.clean(
        written,
        tags=_TAGS,
        attributes=_ATTRIBUTES,
        url_schemes=_SCHEMES,
        link_rel="noopener noreferrer nofollow",
    )
    return mark_safe(clean)
