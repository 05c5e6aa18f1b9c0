"""Make the documentation's pictures of the page, from a server with the default run's models:

foundling serve
python -m tests.serving.pictures http://127.0.0.1:8000 docs
"""

import io
import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page

from .browser import chromium

COLOURS = 200  # of a picture, which keeps it small
ASKED = (
    "Rewrite the sentence in the past tense.\nThe fox eats a rabbit.",
    "Sum up the story in one sentence.\n"
    "Anna fell into the river and could not swim. Tom heard her shout, took a rope and pulled her out.",
)


def main(url: str, folder: Path) -> None:
    """Write page.png, a chat beside the base model, and page_inside.png, attention and training steps."""
    with chromium() as browser:
        page = browser.new_page(viewport={"width": 1160, "height": 740}, color_scheme="light")
        page.goto(f"{url}/#chat")
        for number, text in enumerate(ASKED, start=1):
            page.get_by_label("Message", exact=True).fill(text)
            page.get_by_label("Message", exact=True).press("Enter")
            page.get_by_role("button", name="Regenerate").nth(number - 1).wait_for()
        save(page, folder / "page.png")
        page.goto(f"{url}/#inside")
        steps = int(page.get_by_role("slider").get_attribute("max") or 0) + 1
        page.locator(".dot").nth(4 * steps - 1).wait_for()  # four lines
        page.get_by_role("button", name="Head 3").click()
        save(page, folder / "page_inside.png", full_page=True)


def save(page: Page, path: Path, full_page: bool = False) -> None:
    """Write a picture of the page with few colours."""
    page.evaluate("document.activeElement.blur(); scrollTo(0, 0)")
    with Image.open(io.BytesIO(page.screenshot(full_page=full_page))) as picture:
        few = picture.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
        few.save(path, optimize=True)
    print(f"{path}: {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
