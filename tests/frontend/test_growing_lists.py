"""Lists that grow in loops over data: their values and gradients, and that the loop stays a loop."""

import textwrap

import numpy as np
import pytest

import flatgrad

PROGRAMS = {
    "states of a recurrence": """
        def f(x, w):
            hs = []
            h = np.zeros(5)
            for t in range(len(x)):
                h = np.tanh(w * h + x[t])
                hs.append(h)
            return np.sum(np.stack(hs) ** 2)
        """,
    "a mean over states": """
        def f(x, w):
            h = np.zeros(5)
            hs = []
            for t in range(len(x)):
                h = np.tanh(x[t] * w + h)
                hs.append(h)
            H = np.stack(hs)
            return np.mean(H**2) + H[-1, 0]
        """,
    "the last state": """
        def f(x, w):
            hs = [np.zeros(5)]
            for t in range(len(x)):
                hs.append(np.tanh(w * hs[-1] + x[t]))
            return np.sum(hs[-1] ** 2) + hs[3][2]
        """,
    "losses": """
        def f(x, w):
            losses = []
            for t in range(len(x)):
                losses.append(np.sum(np.sin(w * x[t])))
            return sum(losses) / len(losses) + np.mean(losses)
        """,
    "on one side of a branch": """
        def f(x, w):
            kept = []
            for t in range(len(x)):
                if x[t] > 0.2:
                    kept.append(x[t] ** 2 * w[t])
            return np.sum(np.array(kept))
        """,
    "the length so far": """
        def f(x, w):
            word, scores = 1, []
            T = np.outer(x, w)
            for _ in range(len(x) - 2):
                logits = T[word] + 0.5 * len(scores) * w
                word = np.argmax(logits)
                scores.append(logits[word] - np.log(np.sum(np.exp(logits))))
            return np.sum(np.array(scores)) / len(scores)
        """,
    "a branch on the length so far": """
        def f(x, w):
            seen = []
            total = 0.0
            for v in x:
                seen.append(v * w[0])
                if len(seen) > 1:
                    total += seen[-2] * v
            return total
        """,
    "whether there is anything yet": """
        def f(x, w):
            seen = []
            total = 0.0
            for v in x:
                if seen:
                    total += seen[-1] * v
                seen.append(v * w[0])
                if not seen[1:]:
                    total += 3 * v
            return total
        """,
    "until there are so many": """
        def f(x, w):
            seen = []
            for v in x:
                seen.append(v * w[1])
                if len(seen) == 3:
                    break
            return sum(seen) * len(seen)
        """,
    "gone through again": """
        def f(x, w):
            rows = []
            for row in np.outer(x, w):
                rows.append(np.sum(row**2))
            total = 0.0
            for row in rows:
                total = total + np.sin(row)
            return total + rows[1]
        """,
    "a comprehension over rows": """
        def f(x, w):
            hs = [np.tanh(row * w) for row in np.outer(x, w)]
            ys = [h * w for h in hs]
            return np.sum(np.concatenate(ys))
        """,
    "a comprehension with a condition": """
        def f(x, w):
            return np.sum(np.array([np.sum(w * x[i]) for i in range(len(x)) if x[i] > 0]))
        """,
    "a while loop": """
        def f(x, w):
            sizes, s = [], np.sum(w**2)
            while s > 0.1:
                s = s * 0.5
                sizes.append(s * x[0])
            return np.sum(np.array(sizes) ** 2)
        """,
    "a second name": """
        def f(x, w):
            hs = []
            same = hs
            for v in x:
                same.append(v * w[0])
            hs.append(w[1])
            return sum(hs) + same[0]
        """,
}
# what needs the items one by one is written out, for the sizes of the arguments
WRITTEN_OUT = {
    "a window": """
        def f(x, w):
            window = []
            total = 0.0
            for v in x:
                window.append(v * w[0])
                if len(window) > 2:
                    window.pop(0)
                total += sum(window) ** 2
            return total
        """,
    "pairs": """
        def f(x, w):
            pairs = []
            for t in range(len(x)):
                pairs.append((x[t], w[t] * x[t]))
            return sum(a * b for a, b in pairs)
        """,
    "two lists at once": """
        def f(x, w):
            hs = []
            for t in range(len(x)):
                hs.append(w * x[t])
            return np.sum(np.stack([np.concatenate(pair) for pair in zip(hs, hs[::-1])]) ** 2)
        """,
    "taken from the end": """
        def f(x, w):
            stack = []
            for t in range(len(x)):
                stack.append(np.sin(x[t]) * w)
            total = stack.pop()
            while stack:
                total = total * stack.pop()
            return np.sum(total)
        """,
    "by the number of the turn": """
        def f(x, w):
            hs = {-1: x[0]}
            for t in range(len(x)):
                hs[t] = np.sin(hs[t - 1] * w[t])
            return hs[2] + hs[len(x) - 1]
        """,
}
every_style = pytest.mark.parametrize("style", ("flat", "compact"))


def decorated(text, tmp_path, style="compact"):
    path = tmp_path / "lists.py"
    source = "import numpy as np\n\n\n" + textwrap.dedent(text).strip() + "\n"
    path.write_text(source)
    namespace = {}
    exec(compile(source, str(path), "exec"), namespace)
    return flatgrad.flatgrad(style=style)(namespace["f"])


def arguments(size):
    random = np.random.default_rng(5)
    return random.normal(size=size) + 0.5, random.normal(size=5) + 0.5


@pytest.mark.parametrize("name", PROGRAMS)
@every_style
def test_gradients(name, style, tmp_path):
    """One emitted module has the value and the gradients for any number of turns."""
    function = decorated(PROGRAMS[name], tmp_path, style)
    for size in (5, 9) if name != "on one side of a branch" else (5,):
        assert function.check(*arguments(size)).passed
    assert function.emit(*arguments(5)) == function.emit(*arguments(5 if "branch" in name else 9))


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_loop_stays_a_loop(name, tmp_path):
    """The source has a loop that appends, however many turns there are."""
    text = str(decorated(PROGRAMS[name], tmp_path).emit(*arguments(5)))
    assert ".append(" in text
    assert text.count("    for ") + text.count("    while ") >= 2


@pytest.mark.parametrize("name", WRITTEN_OUT)
@every_style
def test_what_needs_the_items(name, style, tmp_path):
    """Where the items have to be known one by one, the loop is written out."""
    assert decorated(WRITTEN_OUT[name], tmp_path, style).check(*arguments(5)).passed


def test_what_is_appended_and_written_to(tmp_path):
    """An array that stands in a list is changed there, too, by a write under another name: all entries are one array."""
    text = """
        def f(x, w):
            hs, h = [], np.zeros(5)
            for t in range(len(x)):
                h += w * x[t]
                hs.append(h)
            return np.sum(np.stack(hs))
        """
    assert decorated(text, tmp_path).check(*arguments(5)).passed
