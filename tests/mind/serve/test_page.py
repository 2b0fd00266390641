"""The page in a real browser without a window: teach, ask, undo, search, history, keys."""

from __future__ import annotations

import importlib.util
import os
import shutil

import pytest

from tests.mind.serve.serving import needs_server

ARGUMENTS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    "--window-size=1320,820",
)
INSTALL = "needs a browser: apt-get install chromium chromium-driver, and pip install selenium"
THERE = shutil.which("chromium") and shutil.which("chromedriver")
THERE = bool(THERE and importlib.util.find_spec("selenium"))
if not THERE and os.environ.get("PRISM_TEST_MIND"):
    raise ImportError(INSTALL)

pytestmark = [needs_server, pytest.mark.skipif(not THERE, reason=INSTALL), pytest.mark.long]


class Page:
    """The page as a user has it."""

    def __init__(self, driver, url: str) -> None:
        self.driver = driver
        driver.get(url)

    def all(self, selector: str) -> list:
        return self.driver.find_elements("css selector", selector)

    def one(self, selector: str):
        return self.all(selector)[0]

    def until(self, true) -> None:
        from selenium.webdriver.support.ui import WebDriverWait

        WebDriverWait(self.driver, 30).until(lambda _: true())

    def rows(self) -> list[str]:
        text = "return [...document.querySelectorAll('tr.row')].map((r) => r.innerText)"
        return [" ".join(row.split()) for row in self.driver.execute_script(text)]

    def say(self, text: str) -> str:
        """Say something; what was answered."""
        count = len(self.all(".answer"))
        self.one("#words").send_keys(text + "\n")
        self.until(lambda: len(self.all(".answer:not(.wait)")) == count + 1)
        return self.all(".answer")[-1].text


@pytest.fixture
def driver(tmp_path):
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium")
    for argument in (*ARGUMENTS, f"--user-data-dir={tmp_path / 'profile'}"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
    yield driver
    driver.quit()


def test_teach_ask_undo(driver, served):
    page = Page(driver, served.url)
    page.until(lambda: "No facts yet" in page.one("#empty").text)
    assert "+ Freedonia · capital = Fredville" in " ".join(
        page.say("The capital of Freedonia is Fredville.").split()
    )
    page.say("The currency of Freedonia is the crown.")
    page.until(lambda: len(page.rows()) == 2)
    answer = page.say("What is the currency of the country whose capital is Fredville?")
    assert answer.startswith("crown") and "2 facts" in answer
    page.all("summary")[-1].click()
    hops = [item.text for item in page.all(".answer ol li")]
    assert len(hops) == 2 and hops[0].startswith("capital of Freedonia = Fredville")
    assert "The currency of Freedonia is the crown." in hops[1]
    page.say("The capital of Freedonia is Newtown.")
    page.until(lambda: any("Newtown" in row for row in page.rows()))
    page.all(".note button")[-1].click()  # undo
    page.until(lambda: page.all(".note.undone"))
    page.until(lambda: any("Fredville" in row for row in page.rows()))
    assert not any("Newtown" in row for row in page.rows())
    assert not [line for line in driver.get_log("browser") if line["level"] == "SEVERE"]


def test_a_sentence_is_shown_as_kept_listed_and_answers(driver, served):
    page = Page(driver, served.url)
    told = " ".join(page.say("I parked on level 3 next to the lift.").split())
    assert "I parked on level 3 next to the lift." in told and "kept as you said it" in told
    page.until(lambda: "No facts yet" in page.one("#empty").text)
    page.one("#said").click()
    page.until(lambda: len(page.rows()) == 1 and "level 3" in page.rows()[0])
    assert page.say("Which level did I park on?").startswith(("3", "level 3"))
    page.all(".note button")[-1].click()  # undo
    page.until(lambda: page.rows() == [])
    assert not [line for line in driver.get_log("browser") if line["level"] == "SEVERE"]


def test_search_history_change_and_retract(driver, served):
    for name, thing in (("Freedonia", "Fredville"), ("Sylvania", "Batburg")):
        fact = {"subject": name, "relation": "capital", "object": thing}
        served.call("POST", "/v1/facts", fact | {"source": "atlas"})
    page = Page(driver, served.url)
    page.until(lambda: len(page.rows()) == 2)
    page.one("#search").send_keys("fred")
    page.until(lambda: page.rows() == ["Freedonia capital Fredville api atlas"])
    page.one("tr.row").click()
    page.until(lambda: page.all(".deeds input"))
    field = page.one(".deeds input")
    field.clear()
    field.send_keys("Newtown\n")
    page.until(lambda: page.all("#toast:not([hidden])"))
    page.one("#search").clear()
    page.one("#search").send_keys("newt")
    page.until(lambda: page.rows() == ["Freedonia capital Newtown user page"])
    page.one("tr.row").click()
    page.until(lambda: len(page.all(".past li")) == 2)
    assert [item.text.split()[0] for item in page.all(".past li")] == ["Newtown", "Fredville"]
    next(b for b in page.all(".deeds button") if b.text == "Retract").click()
    page.until(lambda: page.rows() == [])


def test_facts_are_text_and_never_html(driver, served):
    bad = "<img src=x onerror=\"document.title='run'\">"
    for subject in (bad, "Acme"):
        fact = {"subject": subject, "relation": bad, "object": bad, "source": bad}
        served.call("POST", "/v1/facts", fact)
    page = Page(driver, served.url)
    page.until(lambda: len(page.rows()) == 2)
    page.all("tr.row")[0].click()
    page.until(lambda: page.all("tr.more"))
    page.say(f"Acme's owner is {bad}.")
    page.say("What is the capital of <b>Acme</b>?")
    assert not page.all("img") and driver.title == "PRISM · knowledge base"
    assert any(bad in row for row in page.rows())


def test_a_key_is_asked_for_and_opens_its_tenant(driver, keyed):
    fact = {"subject": "Freedonia", "relation": "capital", "object": "Fredville"}
    keyed.call("POST", "/v1/facts", fact, key=keyed.keys["acme"])
    page = Page(driver, keyed.url)
    page.until(lambda: page.all("#key[open]"))
    page.one("#key input").send_keys("prism-wrong\n")
    page.until(lambda: page.all("#key[open] .wrong:not([hidden])"))
    page.one("#key input").send_keys(keyed.keys["acme"] + "\n")
    page.until(lambda: len(page.rows()) == 1)
    page.one("#leave").click()
    page.until(lambda: page.all("#key[open]"))
    page.one("#key input").send_keys(keyed.keys["bolt"] + "\n")
    page.until(lambda: "No facts yet" in page.one("#empty").text)
