"""The page in a real browser, each tab used as a person would; nothing is asked of another machine."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Locator, Page, Route, expect

from .browser import CHROMIUM, chromium
from .conftest import ServerProcess

expect.set_options(timeout=30_000)
pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="chromium is not installed: apt-get install chromium"
)
PHONE = {"width": 390, "height": 844}
SCREEN = {"width": 1280, "height": 820}
HOSTILE = "<img src=x onerror=\"document.title='owned'\">"
TABS = ("chat", "spam", "translate", "inside")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture
def visit(browser: Browser, server: ServerProcess) -> Iterator[Callable[..., Page]]:
    """A maker of pages that show a tab; afterwards there was no console message and no foreign request."""
    contexts, problems = [], []

    def open_page(
        tab: str,
        *,
        routes: dict[str, Callable[[Route], None]] | None = None,
        refused: bool = False,  # the server refuses a request, which the browser reports on the console
        **options: Any,
    ) -> Page:
        context = browser.new_context(**({"viewport": SCREEN} | options))
        contexts.append(context)
        page = context.new_page()
        report = [] if refused else problems
        page.on("console", lambda message: report.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: problems.append(f"error: {error}"))
        page.on("request", lambda request: _check_local(request.url, server.url, problems))
        for pattern, handler in (routes or {}).items():
            page.route(pattern, handler)
        page.goto(f"{server.url}/#{tab}")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert problems == []


def _check_local(url: str, own: str, problems: list[str]) -> None:
    if not url.startswith((f"{own}/", "blob:")):
        problems.append(f"request: {url}")


def stream(*pieces: str, finish: str = "stop", total: int = 20) -> str:
    """A streamed answer as server-sent events."""
    events: list[Any] = [{"choices": [{"delta": {"content": piece}}]} for piece in pieces]
    events.append({"choices": [{"delta": {}, "finish_reason": finish}]})
    events.append({"choices": [], "usage": {"total_tokens": total}})
    return "".join(f"data: {json.dumps(event)}\n\n" for event in events) + "data: [DONE]\n\n"


def answer_with(body: str, status: int = 200) -> Callable[[Route], None]:
    kind = "text/event-stream" if status == 200 else "application/json"
    return lambda route: route.fulfill(status=status, content_type=kind, body=body)


def answers(page: Page) -> Locator:
    return page.get_by_role("article", name="Answer")


def send(page: Page, text: str) -> None:
    """Send a message, once the answer before it has ended."""
    expect(page.get_by_role("button", name="Send", exact=True)).to_be_visible()
    page.get_by_label("Message", exact=True).fill(text)
    page.get_by_label("Message", exact=True).press("Enter")


def test_text_is_cut_into_tokens_and_the_likeliest_next_one_can_be_appended(visit: Any) -> None:
    page = visit("inside")
    page.get_by_label("Text", exact=True).fill("a owl")
    tokens = page.get_by_role("list", name="Tokens").get_by_role("listitem")
    expect(tokens).to_have_count(6)  # the first is the end of the previous document
    expect(tokens.nth(2)).to_contain_text("·")
    expect(tokens.nth(1)).to_contain_text("97")  # the id
    page.get_by_role("button", name="Append").first.click()
    expect(tokens).to_have_count(7)


def test_attention_is_shown_for_each_layer_and_head_and_read_by_keyboard(visit: Any) -> None:
    page = visit("inside")
    page.get_by_label("Text", exact=True).fill("owl")
    page.get_by_label("Layer", exact=True).select_option("0")
    canvas = page.get_by_role("img", name="Attention of head 1 in layer 1 over 4 tokens")
    canvas.focus()
    page.keyboard.press("ArrowUp")
    expect(page.get_by_text("“w” looks at “<|endoftext|>”: ")).to_be_visible()
    page.get_by_role("button", name="Head 2").click()
    expect(page.get_by_role("img", name="Attention of head 2 in layer 1")).to_be_visible()
    expect(page.get_by_role("button", name="Head 2")).to_have_attribute("aria-pressed", "true")


def test_the_slider_shows_the_continuation_of_each_snapshot(visit: Any) -> None:
    page = visit("inside")
    page.get_by_label("Text", exact=True).fill("the owl")
    steps = page.get_by_role("slider", name="Training step")
    expect(page.get_by_text("step 20", exact=True)).to_be_visible()
    shown = page.locator(".continuation")
    expect(page.locator(".dot.line-0")).to_have_count(2)
    expect(shown).to_contain_text("the owl")
    last = shown.inner_text()
    steps.focus()
    page.keyboard.press("ArrowLeft")
    expect(page.get_by_text("step 0", exact=True)).to_be_visible()
    expect(shown).not_to_have_text(last)


def test_a_text_longer_than_the_context_is_explained(visit: Any) -> None:
    page = visit("inside", refused=True)
    page.get_by_label("Text", exact=True).fill("a" * 300)
    expect(page.get_by_role("alert").first).to_contain_text("301 tokens; at most 256")


def test_the_served_models_answer(visit: Any) -> None:
    page = visit("chat")
    page.get_by_label("Most tokens").fill("5")
    send(page, "What does the owl eat?")
    expect(page.get_by_text(re.compile(r"^\d+ of 256 tokens"))).to_be_visible()
    expect(answers(page)).to_contain_text("chat")
    expect(answers(page)).to_contain_text("base, plain continuation")


def test_a_message_longer_than_the_context_is_explained(visit: Any) -> None:
    page = visit("chat", refused=True)
    send(page, "m" * 300)
    notice = page.locator(".notice")
    expect(notice).to_contain_text("The model's context is full.")
    expect(notice).not_to_contain_text("false")
    expect(notice.get_by_role("button")).to_have_text(["New conversation"])
    expect(answers(page)).to_have_count(0)


def test_an_answer_is_streamed_kept_and_made_again(visit: Any) -> None:
    replies = iter([stream("The owl ", "eats mice."), stream("Mice.")])
    page = visit("chat", routes={"**/v1/chat/completions": lambda route: answer_with(next(replies))(route)})
    send(page, "What does the owl eat?")
    expect(answers(page)).to_contain_text("The owl eats mice.")
    expect(page.get_by_text("20 of 256 tokens")).to_be_visible()
    page.reload()
    expect(answers(page)).to_contain_text("The owl eats mice.")
    page.get_by_role("button", name="Regenerate").click()
    expect(answers(page)).to_contain_text("Mice.")
    expect(answers(page)).to_have_count(1)


def test_an_edited_message_replaces_what_followed_it(visit: Any) -> None:
    sent: list[Any] = []

    def answer(route: Route) -> None:
        sent.append(route.request.post_data_json)
        answer_with(stream(f"answer {len(sent)}"))(route)

    page = visit("chat", routes={"**/v1/chat/completions": answer})
    page.get_by_label("System message").fill("Be brief.")
    for text in ("one", "two"):
        send(page, text)
        expect(page.get_by_text(f"answer {len(sent) or 1}")).to_be_visible()
    expect(answers(page)).to_have_count(2)
    page.get_by_role("button", name="Edit this message").first.click()
    page.get_by_label("Edit the message").fill("three")
    page.get_by_role("button", name="Send again").click()
    expect(page.get_by_text("answer 3")).to_be_visible()
    expect(answers(page)).to_have_count(1)
    assert sent[-1]["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "three"},
    ]
    assert sent[1]["messages"][-1] == {"role": "user", "content": "two"}
    assert len(sent[1]["messages"]) == 4


def test_conversations_are_listed_opened_and_deleted(visit: Any) -> None:
    page = visit("chat", routes={"**/v1/chat/completions": answer_with(stream("yes"))})
    send(page, "first question")
    expect(answers(page)).to_contain_text("yes")
    page.get_by_role("button", name="New conversation").click()
    expect(answers(page)).to_have_count(0)
    send(page, "second question")
    expect(answers(page)).to_contain_text("yes")
    page.get_by_role("button", name="first question", exact=True).click()
    expect(page.get_by_role("log")).to_contain_text("first question")
    page.get_by_role("button", name="Delete: first question").click()
    expect(page.get_by_role("log")).to_contain_text("second question")
    expect(page.get_by_role("button", name="first question", exact=True)).to_have_count(0)


def test_the_base_models_continuation_stands_beside_the_answer(visit: Any) -> None:
    events = [{"choices": [{"text": " It eats mice."}]}]
    other = "".join(f"data: {json.dumps(event)}\n\n" for event in events) + "data: [DONE]\n\n"
    asked: list[Any] = []

    def complete(route: Route) -> None:
        asked.append(route.request.post_data_json)
        answer_with(other)(route)

    routes = {"**/v1/chat/completions": answer_with(stream("Mice.")), "**/v1/completions": complete}
    page = visit("chat", routes=routes)
    page.get_by_label("Compare with").select_option("base")
    send(page, "What does the owl eat?")
    expect(answers(page)).to_contain_text("base, plain continuation")
    expect(answers(page)).to_contain_text("It eats mice.")
    expect(answers(page)).to_contain_text("Mice.")
    assert (asked[0]["model"], asked[0]["prompt"]) == ("base", "What does the owl eat?")


def test_an_answer_under_way_is_stopped(visit: Any) -> None:
    hang = """const real = window.fetch;
    window.fetch = (url, options) => {
      if (!String(url).includes("chat/completions")) return real(url, options);
      const event = 'data: {"choices": [{"delta": {"content": "begun"}}]}\\n\\n';
      const body = new ReadableStream({
        start(control) {
          control.enqueue(new TextEncoder().encode(event));
          options.signal.addEventListener("abort", () => control.error(options.signal.reason));
        },
      });
      return Promise.resolve(new Response(body));
    };"""
    page = visit("chat")
    page.add_init_script(hang)
    page.reload()
    send(page, "tell me a long story")
    expect(answers(page)).to_contain_text("begun")
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_text("Stopped.")).to_be_visible()
    expect(page.get_by_role("button", name="Send")).to_be_visible()
    expect(answers(page)).to_contain_text("begun")
    send(page, "another")
    expect(answers(page)).to_have_count(2)
    page.get_by_role("button", name="New conversation").click()  # stops it as well
    expect(page.get_by_role("button", name="Send")).to_be_visible()
    expect(answers(page)).to_have_count(0)


def test_a_full_context_offers_to_forget_the_oldest_turn(visit: Any) -> None:
    sent: list[Any] = []
    full = json.dumps(
        {"error": {"message": "300 tokens exceed the context of 256", "code": "context_length_exceeded"}}
    )
    # a status of 200, so that the browser does not report a failed request
    failure = f"data: {full}\n\n"

    def answer(route: Route) -> None:
        sent.append(route.request.post_data_json)
        answer_with(failure if len(sent) == 2 else stream("fine"))(route)

    page = visit("chat", routes={"**/v1/chat/completions": answer})
    send(page, "one")
    expect(answers(page)).to_contain_text("fine")
    send(page, "two")
    expect(page.get_by_text("The model's context is full.")).to_be_visible()
    page.get_by_role("button", name="Forget the oldest turn").click()
    expect(answers(page)).to_contain_text("fine")
    assert sent[-1]["messages"] == [{"role": "user", "content": "two"}]


def test_text_is_never_parsed_as_html(visit: Any) -> None:
    page = visit("chat", routes={"**/v1/chat/completions": answer_with(stream(HOSTILE))})
    send(page, HOSTILE)
    expect(answers(page)).to_contain_text(HOSTILE)
    expect(page.get_by_role("article", name="You")).to_contain_text(HOSTILE)
    page.get_by_role("tab", name="Look inside").click()
    page.get_by_label("Text", exact=True).fill(HOSTILE)
    expect(
        page.get_by_role("listitem").filter(has_text="onerror").or_(page.locator(".token").nth(40))
    ).to_be_visible()
    assert page.locator("#panel img").count() == 0
    assert page.title() == "Foundling"


def test_a_message_is_classified_with_the_weight_of_each_token(visit: Any) -> None:
    page = visit("spam")
    page.get_by_label("Message", exact=True).fill(f"win {HOSTILE}")
    page.get_by_role("button", name="Check", exact=True).click()
    weights = page.get_by_label("Weights of the tokens")
    expect(weights).to_contain_text("win·<img·src=x")
    expect(page.get_by_text("ham", exact=True)).to_be_visible()
    assert "without it" in (weights.locator("span").first.get_attribute("title") or "")


def classes(route: Route) -> None:
    texts = route.request.post_data_json["input"]
    spam = {"label": "spam", "probabilities": {"ham": 0.25, "spam": 0.75}}
    route.fulfill(json={"results": [spam for _ in texts]})


def test_a_csv_file_is_classified_and_saved(visit: Any, tmp_path: Path) -> None:
    file = tmp_path / "in.csv"
    file.write_text('id;message\n1;"win; ""now"""\n2;see you\n')
    page = visit("spam", routes={"**/classify": classes})
    page.get_by_label("Or a CSV file").set_input_files(file)
    expect(page.get_by_text("2 messages: 0 ham, 2 spam.")).to_be_visible()
    with page.expect_download() as started:
        page.get_by_role("button", name="Download as CSV").click()
    saved = Path(started.value.path()).read_text(encoding="utf-8")
    assert saved.splitlines() == [
        "label,ham,spam,text",
        'spam,0.250000,0.750000,"win; ""now"""',
        "spam,0.250000,0.750000,see you",
    ]
    page.get_by_label("Column").select_option(label="id")
    expect(page.get_by_role("cell", name="1", exact=True)).to_be_visible()


def test_lines_are_classified_in_batches(visit: Any) -> None:
    page = visit("spam", routes={"**/classify": classes})
    page.get_by_label("Messages").fill("\n".join(f"message {i}" for i in range(70)))
    page.get_by_role("button", name="Check all").click()
    expect(page.get_by_text("70 messages: 0 ham, 70 spam.")).to_be_visible()
    expect(page.get_by_role("row")).to_have_count(71)


def test_a_translation_is_shown_with_its_cross_attention(visit: Any) -> None:
    page = visit("translate")
    page.get_by_label("Sentence").fill("the owl")
    page.get_by_label("Sentence").press("Enter")
    page.get_by_role("img", name="Cross-attention of layer").focus()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_text("it looked at “h”: ")).to_be_visible()
    page.get_by_role("button", name="Layer 1").click()
    expect(page.get_by_role("img", name="Cross-attention of layer 1")).to_be_visible()


def test_a_tab_without_a_model_shows_the_command_that_makes_it(visit: Any) -> None:
    def without_classifier(route: Route) -> None:
        route.fulfill(json={**route.fetch().json(), "classifier": None})

    page = visit("spam", routes={"**/inspect/models": without_classifier})
    expect(page.get_by_text("dvc repro classify")).to_be_visible()


def test_tabs_and_theme_are_changed_by_keyboard_and_the_theme_is_kept(visit: Any) -> None:
    page = visit("chat", color_scheme="light")
    page.get_by_role("tab", name="Chat").focus()
    for name in ("Spam filter", "Translate", "Look inside", "Chat"):
        page.keyboard.press("ArrowRight")
        expect(page.get_by_role("tab", name=name)).to_have_attribute("aria-selected", "true")
        expect(page.get_by_role("tab", name=name)).to_be_focused()
    light = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.get_by_role("button", name="Switch to the dark theme").press("Enter")
    page.reload()
    expect(page.get_by_role("button", name="Switch to the light theme")).to_be_visible()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != light


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [SCREEN, PHONE], ids=["screen", "phone"])
def test_no_tab_overflows_or_has_a_fault_that_axe_finds(visit: Any, viewport: Any, scheme: str) -> None:
    chats = {"**/v1/chat/completions": answer_with(stream("w" * 300))}
    chats["**/v1/completions"] = answer_with(stream())
    page = visit("chat", routes=chats, viewport=viewport, color_scheme=scheme)
    send(page, "m" * 300)
    expect(answers(page)).to_contain_text("www")
    for tab in TABS:
        page.goto(f"{page.url.partition('#')[0]}#{tab}")
        panel = page.locator(f"#panel-{tab}")
        expect(panel).to_be_visible()
        if tab == "spam":
            panel.get_by_role("button", name="Check", exact=True).click()
            expect(page.get_by_label("Weights of the tokens")).to_be_visible()
        elif tab == "translate":
            panel.get_by_role("button", name="Translate", exact=True).click()
            expect(page.get_by_text("Cross-attention", exact=True)).to_be_visible()
        elif tab == "inside":
            expect(page.locator(".dot.line-0")).to_have_count(2)
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, tab
        found = Axe().run(page)
        assert found.violations_count == 0, found.generate_report()
