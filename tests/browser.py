"""A headless browser for tests of pages, which reports every request and every message of the console."""

import json
import shutil
import time

import pytest

ENDS = 300.0
"""Seconds that a page may take to draw its charts, on a machine with much else to do."""


class Browser:
    """Chromium without a window; started once for all tests."""

    def __init__(self):
        webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
        program, driver = shutil.which("chromium"), shutil.which("chromedriver")
        if program is None or driver is None:
            pytest.skip("chromium and chromium-driver are not installed")
        options = webdriver.ChromeOptions()
        options.binary_location = program
        # A container has no user for the sandbox, and little shared memory.
        for argument in (
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--hide-scrollbars",
            "--disable-dev-shm-usage",
        ):
            options.add_argument(argument)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        self._driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))

    def open(self, page, *, width=1280, theme="light"):
        """Open a file, and wait until its charts are drawn."""
        is_phone = width < 500
        self._tell(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=900,
            deviceScaleFactor=1,
            mobile=is_phone,
        )
        self._tell(
            "Emulation.setEmulatedMedia",
            media="",
            features=[{"name": "prefers-color-scheme", "value": theme}],
        )
        self.messages(), self.requests()
        self._driver.get(page.as_uri())
        self.wait_for("document.documentElement.dataset.drawn")

    def wait_for(self, expression):
        """Wait until an expression of JavaScript is true."""
        end = time.monotonic() + ENDS
        while not self.value(expression):
            if time.monotonic() > end:
                pytest.fail(f"{expression} did not become true: {self.messages()}")
            time.sleep(0.02)

    def value(self, expression):
        """The value of an expression of JavaScript."""
        return self._driver.execute_script(f"return {expression}")

    def click(self, selector):
        """Click the first element of a selector."""
        self.value(f"document.querySelector({json.dumps(selector)}).click()")

    def messages(self):
        """What the console said since it was asked before."""
        return [entry["message"] for entry in self._driver.get_log("browser")]

    def requests(self):
        """The addresses that were requested since it was asked before."""
        events = [json.loads(entry["message"])["message"] for entry in self._driver.get_log("performance")]
        return [
            event["params"]["request"]["url"]
            for event in events
            if event["method"] == "Network.requestWillBeSent"
        ]

    def on_paper(self):
        """Show the page as it is printed, until the next one is opened."""
        self._tell("Emulation.setEmulatedMedia", media="print")

    def close(self):
        """End it."""
        self._driver.quit()

    def _tell(self, command, **parameters):
        return self._driver.execute_cdp_cmd(command, parameters)
