"""How fast is the web page: first paint, and 20,000 memories searched and scrolled?

    python benchmarks/page.py

The server runs in this process with a scripted model; Chromium without a window measures.
Beside each figure stands its peer: an empty page of the same server, and the bare SQL.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "support"))

from browser import Browser, served, start_chromium
from fake_engine import FakeEngine

from ondevice.chat import Assistant
from ondevice.home import Home
from ondevice.memory.embedders.choose import open_embedder
from ondevice.memory.service import Memory
from ondevice.settings import Settings
from ondevice.store.listing import Filter
from ondevice.store.profile import Profile

WORDS = [
    "canoe",
    "harmonica",
    "garden",
    "quince",
    "Ulm",
    "bridge",
    "letter",
    "winter",
    "coffee",
    "lantern",
]
QUERIES = ["ca", "harm", "garden", "number 19", "quince brid"]

_PAINT = """
const paint = performance.getEntriesByType('paint').find(e => e.name === 'first-contentful-paint');
return paint ? paint.startTime : null;
"""
# From the key to the two frames after which the new rows stand on the screen.
_SEARCH = """
const [query, done] = arguments;
const field = document.querySelector('#search');
const view = document.querySelector('.memories');
const start = performance.now();
field.value = query;
field.dispatchEvent(new Event('input', {bubbles: true}));
const look = () => {
  if (view.dataset.ready === query) {
    requestAnimationFrame(() => done(performance.now() - start));
  } else requestAnimationFrame(look);
};
look();
"""
_SCROLL = """
const [share, done] = arguments;
const list = document.querySelector('.list');
const start = performance.now();
list.scrollTop = share * list.scrollHeight;
const look = () => {
  const box = list.getBoundingClientRect();
  const rows = [...document.querySelectorAll('.memory')].map(row => row.getBoundingClientRect());
  if (rows.some(r => r.top <= box.top + 70 && r.bottom >= box.top)
      && rows.some(r => r.bottom >= box.bottom - 70 && r.top <= box.bottom)) {
    requestAnimationFrame(() => done(performance.now() - start));
  } else requestAnimationFrame(look);
};
requestAnimationFrame(look);
"""


def fill(profile: Profile, count: int) -> None:
    """Store `count` facts."""
    rng = np.random.default_rng(1)
    with profile._db.write():
        for number in range(count):
            words = " ".join(rng.choice(WORDS, 6))
            profile.facts.add(f"The user wrote number {number} about {words}.")


def bare(profile: Profile) -> list[float]:
    """Return the milliseconds of a search without browser and server."""
    times = []
    for query in QUERIES * 4:
        start = time.perf_counter()
        profile.listing.page(Filter(words=query, kinds=("fact",)))
        profile.listing.count(Filter(words=query, kinds=("fact",)))
        times.append(1000 * (time.perf_counter() - start))
    return times


def paint(browser: Browser, path: str, repeats: int) -> list[float]:
    """Return the milliseconds to the first paint of `path`."""
    times = []
    for _ in range(repeats):
        browser.driver.get("about:blank")
        browser.driver.get(f"{browser.address}{path}")
        times.append(browser.wait(lambda: browser.driver.execute_script(_PAINT)))
    return times


def measure(count: int, repeats: int) -> dict[str, list[float]]:
    """Return milliseconds by what was measured."""
    home = Home.below(Path(tempfile.mkdtemp()))
    with Profile.create(home) as profile:
        fill(profile, count)
        embedder = open_embedder(Settings().recall.embedder, Home.default())
        me = Assistant(FakeEngine(["ok"]), Memory(profile, embedder, Settings()), Settings())
        driver = start_chromium()
        try:
            with served(me) as (address, app):
                browser = Browser(driver, address, app)
                browser.enter()
                found = {"first paint": paint(browser, "/", repeats)}
                found["  beside it: the icon alone"] = paint(browser, "/icon.svg", repeats)
                driver.get(f"{address}/")
                browser.go("memories")
                browser.says(f"{count:,} memories", "#count")
                queries = [q for q in QUERIES for _ in range(repeats // 2)]
                queries = [q + " " * (n % 2) for n, q in enumerate(queries)]
                found[f"search in {count:,}"] = [
                    driver.execute_async_script(_SEARCH, query) for query in queries
                ]
                found["  beside it: the store alone"] = bare(profile)
                driver.execute_async_script(_SEARCH, "")
                shares = np.random.default_rng(2).random(repeats * 2).tolist()
                found[f"jump in {count:,}"] = [
                    driver.execute_async_script(_SCROLL, share) for share in shares
                ]
        finally:
            driver.quit()
            profile.wipe()
    return found


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--repeats", type=int, default=12)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    found = measure(options.count, options.repeats)
    print(f"{'milliseconds':32} {'median':>8} {'p95':>8}")
    for name, times in found.items():
        p95 = float(np.percentile(times, 95))
        print(f"{name:32} {statistics.median(times):8.1f} {p95:8.1f}")
    if options.json:
        options.json.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
