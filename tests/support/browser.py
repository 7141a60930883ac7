"""A real server and a real Chromium for the tests of the page."""

from __future__ import annotations

import contextlib
import shutil
import socket
import threading
import time

import uvicorn
from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from ondevice.server.app import create_app


@contextlib.contextmanager
def served(assistant):
    """Serve `assistant` on a free port; yield the address and the app."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(64)
        port = listening.getsockname()[1]
        app = create_app(assistant, token="t" * 40, port=port)
        config = uvicorn.Config(app, log_level="error", timeout_graceful_shutdown=2)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            yield f"http://127.0.0.1:{port}", app
        finally:
            server.should_exit = True
            thread.join(20)


def start_chromium():
    """Return a driver of the system's Chromium; it is an error if there is none."""
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or shutil.which("google-chrome") or ""
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage",
                     "--disable-gpu", "--window-size=1200,850", "--no-proxy-server"):  # fmt: skip
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    service = webdriver.ChromeService(executable_path=shutil.which("chromedriver"))
    return webdriver.Chrome(options=options, service=service)


class Browser:
    """What a person does with the page."""

    def __init__(self, driver, address, app):
        self.driver = driver
        self.address = address
        self.app = app

    def enter(self, view=None):
        """Open the one-time link, as the person does, and go to a view if one is named."""
        key = self.app.state.ondevice.access.new_link_key()
        self.driver.get(f"{self.address}/enter?key={key}")
        self.wait(lambda: self.all("main .view"))
        if view is not None:
            self.go(view)

    def as_phone(self, scheme="light", width=390, height=800):
        """Be as wide as a phone, in light or dark, until the test ends."""
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": True}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})

    def as_before(self):
        """Be an ordinary window again."""
        self.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})

    def go(self, view):
        self.driver.find_element(By.CSS_SELECTOR, f"nav a[data-view={view}]").click()
        self.wait(lambda: self.all("main .view"))

    def all(self, css):
        return self.driver.find_elements(By.CSS_SELECTOR, css)

    def one(self, css):
        return self.wait(lambda: self.all(css))[0]  # as found: the page may change meanwhile

    def text(self, css="main"):
        return self.one(css).text

    def button(self, label, inside="body"):
        """Return the visible button that says `label`."""

        def find():
            found = self.all(f"{inside} button")
            return next((b for b in found if b.is_displayed() and b.text == label), None)

        return self.wait(find)

    def click(self, label, inside="body"):
        button = self.button(label, inside)
        self.wait(button.is_enabled)  # a click on a disabled one does nothing
        # As a person does: the pointer comes first. Without that Chromium loses a press on a page
        # that was opened a moment ago (a pointerdown comes, but neither mousedown nor click).
        ActionChains(self.driver).move_to_element(button).pause(0.05).click().perform()

    def write(self, css, text):
        field = self.one(css)
        field.clear()
        field.send_keys(text)
        return field

    def drag(self, kind, css, paths):
        """Let a file manager's drag of `paths` enter ("dragEnter"), be over, or drop on a node."""
        box = self.one(css).rect
        place = {"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] / 2}
        data = {"items": [], "files": paths, "dragOperationsMask": 1}
        event = {"type": kind, **place, "data": data}
        self.driver.execute_cdp_cmd("Input.dispatchDragEvent", event)

    def press(self, *keys):
        """Press keys wherever the focus is."""
        ActionChains(self.driver).send_keys(*keys).perform()

    def focused(self):
        """Return the node that has the focus."""
        return self.driver.switch_to.active_element

    def wait(self, condition, seconds=20):
        def met(_):
            try:
                return condition()
            except StaleElementReferenceException:
                return False

        return WebDriverWait(self.driver, seconds, 0.03).until(met)

    def says(self, text, css="body", seconds=20):
        self.wait(lambda: any(text in node.text for node in self.all(css)), seconds)

    def say(self, text):
        """Send a message and wait for the whole answer."""
        before = len(self.all(".said.it"))
        self.write("#message", text + "\n")
        self.wait(lambda: len(self.all(".said.it")) >= max(before, 1))
        self.finished()

    def finished(self, seconds=60):
        self.wait(lambda: self.all(".said.it:last-child .again"), seconds)

    def problems(self):
        """Return what the browser complained about, such as a broken content policy."""
        return [
            entry["message"]
            for entry in self.driver.get_log("browser")
            if "status of 4" not in entry["message"] and "[DOM]" not in entry["message"]
        ]

    def settle(self, seconds=0.2):
        time.sleep(seconds)
