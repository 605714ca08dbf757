"""What the browser tests do with a page."""

from __future__ import annotations

from typing import Any, Callable

# for a browser on a loaded machine; what takes longer hangs
PATIENCE_SEC = 60.0
# CSS pixels of a telephone and of a desk
WIDTHS = (375, 1280)
SCHEMES = ("light", "dark")


def until(driver: Any, condition: Callable[[], Any]) -> Any:
    """Wait for something to become true; show the page's text when it does not."""
    from selenium.common.exceptions import TimeoutException
    from selenium.webdriver.support.wait import WebDriverWait

    try:
        return WebDriverWait(driver, PATIENCE_SEC).until(lambda _: condition())
    except TimeoutException:
        body = driver.execute_script("return document.body.innerText")
        raise AssertionError(f"it did not come true on this page:\n{body}") from None


def text(driver: Any, name: str) -> str:
    """Give the text of the element with this id."""
    found: str = driver.execute_script(
        "return document.getElementById(arguments[0])?.textContent ?? ''", name
    )
    return " ".join(found.split())


def is_shown(driver: Any, name: str) -> bool:
    """Tell whether the element with this id is to be seen."""
    found: bool = driver.find_element("id", name).is_displayed()
    return found


def press(driver: Any, *keys: str) -> None:
    """Press keys, wherever the focus is."""
    from selenium.webdriver.common.action_chains import ActionChains

    ActionChains(driver).send_keys(*keys).perform()


def tab_to(driver: Any, name: str) -> None:
    """Press Tab until the element with this id has the focus, and check that one sees it."""
    from selenium.webdriver.common.keys import Keys

    for _ in range(20):
        press(driver, Keys.TAB)
        focused = driver.switch_to.active_element
        if focused.get_attribute("id") == name:
            assert focused.value_of_css_property("outline-style") != "none"
            return
    raise AssertionError(f"Tab never reaches {name}")


def complaints(driver: Any) -> list[str]:
    """Give what the browser's console complains about."""
    # Flask's development server ends a WebSocket with an HTTP response, after the close frames
    known = "Invalid frame header"
    entries = driver.get_log("browser")
    found = [entry["message"] for entry in entries if entry["level"] == "SEVERE"]
    return [message for message in found if known not in message]


def resize(driver: Any, width: int) -> None:
    """Give the page a width in CSS pixels; a headless window has a smallest width of its own."""
    driver.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": 812, "deviceScaleFactor": 1, "mobile": width < 600},
    )


def prefer(driver: Any, scheme: str) -> None:
    """Let the page be seen by somebody who wants it `"dark"` or `"light"`."""
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})


_FAINT = """
const luminance = (color) => {
  const [r, g, b] = color.match(/[\\d.]+/g).slice(0, 3).map((part) => {
    const value = part / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const paperOf = (element) => {
  for (let at = element; at; at = at.parentElement) {
    const color = getComputedStyle(at).backgroundColor;
    if (!/, 0\\)$/.test(color)) return color;
  }
  return "rgb(255, 255, 255)";
};
const faint = [];
for (const element of document.querySelectorAll("h1, h2, p, a, label, select, textarea, button")) {
  if (!element.checkVisibility() || element.disabled) continue;
  const ink = luminance(getComputedStyle(element).color);
  const paper = luminance(paperOf(element));
  const contrast = (Math.max(ink, paper) + 0.05) / (Math.min(ink, paper) + 0.05);
  if (contrast < 4.5) faint.push(`${element.tagName} ${element.textContent}: ${contrast}`);
}
return faint;
"""


def faint_texts(driver: Any) -> list[str]:
    """Give the texts whose contrast is less than 4.5 to 1 (WCAG 2.2, 1.4.3)."""
    found: list[str] = driver.execute_script(_FAINT)
    return found


def unnamed_controls(driver: Any) -> list[str]:
    """Give what can be operated but has no name for a screen reader."""
    controls = driver.find_elements("css selector", "a, button, select, textarea, meter, audio")
    return [control.get_attribute("outerHTML") for control in controls if not named(control)]


def named(control: Any) -> bool:
    """Tell whether a screen reader has a name for it."""
    return bool(control.accessible_name or control.get_attribute("aria-labelledby"))
