"""A browser for tests of pages, where there is one. Debian calls its two programs so."""

import json
import shutil

import pytest

BROWSER, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
in_a_browser = pytest.mark.skipif(
    BROWSER is None or DRIVER is None, reason="no Chromium with its chromedriver"
)


@pytest.fixture(scope="module", name="browser")
def browser_fixture():
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = BROWSER
    for flag in ("--headless=new", "--no-sandbox", "--disable-gpu", "--window-size=1280,1000",
                 "--force-color-profile=srgb", "--disable-dev-shm-usage"):  # fmt: skip
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(DRIVER))
    yield driver
    driver.quit()


def errors(browser):
    """Return what the page complained of."""
    return [one for one in browser.get_log("browser") if one["level"] == "SEVERE"]


def requests(browser):
    """Return addresses that the page asked for, data aside."""
    messages = [json.loads(one["message"])["message"] for one in browser.get_log("performance")]
    urls = [
        one["params"]["request"]["url"]
        for one in messages
        if one["method"] == "Network.requestWillBeSent"
    ]
    return [url for url in urls if not url.startswith("data:")]
