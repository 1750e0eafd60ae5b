"""How source shows itself: plain in print, highlighted in a notebook."""

from __future__ import annotations

import html
import linecache
import re

import numpy as np
import pytest

from flatgrad import emit, flatgrad
from flatgrad.calling.display import Source

X = np.ones(3)


@flatgrad
def loss(x, s: float = 2.0):
    """Return a sum, where x < 3 & s > 0."""
    return np.sum(np.tanh(x) * s)


def text_of(page):
    """Return the text that a page shows."""
    return html.unescape(re.sub("<[^>]*>", "", page))


@pytest.mark.parametrize("source", [emit(loss, X), loss.emit(X)])
def test_page_shows_the_very_source(source):
    """What a notebook shows is what runs: every character of it, those of HTML among them."""
    page = source._repr_html_()
    assert "<span" in page
    assert "x &lt; 3 &amp; s &gt; 0" in page
    assert text_of(page).strip() == source.strip()
    assert source._repr_mimebundle_() == {"text/plain": str(source), "text/html": page}


def test_colours_tell_keywords_from_comments():
    """It is highlighted as Python."""
    page = loss.emit(X)._repr_html_()
    (comment,) = set(re.findall(r'style="([^"]*)"># backward', page))
    (keyword,) = set(re.findall(r'style="([^"]*)">def', page))
    assert comment != keyword


def test_a_notebook_shows_it_once(monkeypatch):
    """rich shows what it prints by itself where it finds a notebook."""
    shown = []
    monkeypatch.setattr("rich.console._is_jupyter", lambda: True)
    monkeypatch.setattr("rich.jupyter.display", lambda *parts: shown.append(parts))
    assert "<span" in loss.emit(X)._repr_html_()
    assert shown == []


def test_cells_have_no_name_of_their_own():
    """The file of a cell is named anew by each kernel; what is emitted does not depend on it."""
    texts = set()
    for file in ("<ipython-input-1-0a1b>", "/var/ipykernel_12/345.py", "/var/ipykernel_6/78.py"):
        text = "import numpy as np\ndef f(x):\n    return np.sum(x * 2)\n"
        linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
        namespace = {}
        exec(compile(text, file, "exec"), namespace)
        texts.add(emit(namespace["f"], X))
    (only,) = texts
    assert only.startswith('"""Forward and backward pass of `f`, written by flatgrad from a notebook cell."""')


def test_nothing_in_the_source_acts_as_html():
    """A docstring may hold anything."""
    page = Source('"""<script>alert(1)</script> [red]x[/red]"""\n')._repr_html_()
    assert "<script" not in page
    assert text_of(page).strip() == '"""<script>alert(1)</script> [red]x[/red]"""'


def test_print_shows_it_plain(capsys):
    """Both in `print` and at the prompt."""
    source = loss.emit(X)
    print(source)
    assert capsys.readouterr().out == source + "\n"
    assert repr(source) == source


def test_decorated_function_shows_what_was_emitted_last():
    """For the arguments seen last; before any, what annotations give; where these say too little, the function."""

    @flatgrad
    def annotated(x: float):
        return x * x

    assert str(annotated) == annotated.source
    annotated.grad(X[0])
    assert "x: (" in str(annotated)
    assert annotated._repr_mimebundle_()["text/plain"] == str(annotated)
    assert text_of(annotated._repr_html_()).strip() == str(annotated).strip()

    @flatgrad
    def unknown(x):
        return x @ x

    shown = str(unknown)
    assert shown.startswith("# no backward pass yet: ")
    assert "return x @ x" in shown
    assert repr(unknown).startswith("<flatgrad ")
    assert repr(unknown).endswith("unknown(x)>")
