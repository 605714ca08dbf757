"""Actions on a page, for the browser tests."""

from __future__ import annotations

from typing import Any, Callable

# a browser is slow on a loaded machine; anything slower hangs
TIMEOUT_SEC = 60.0
# CSS pixels of a phone and of a desktop
WIDTHS = (375, 1280)
SCHEMES = ("light", "dark")


def until(driver: Any, condition: Callable[[], Any]) -> Any:
    """Wait until a condition is true; if it never is, fail with the page's text."""
    from selenium.common.exceptions import TimeoutException
    from selenium.webdriver.support.wait import WebDriverWait

    try:
        return WebDriverWait(driver, TIMEOUT_SEC).until(lambda _: condition())
    except TimeoutException:
        body = driver.execute_script("return document.body.innerText")
        raise AssertionError(f"the condition never became true on this page:\n{body}") from None


def text(driver: Any, name: str) -> str:
    """Return the text of the element with this id."""
    found: str = driver.execute_script(
        "return document.getElementById(arguments[0])?.textContent ?? ''", name
    )
    return " ".join(found.split())


def is_shown(driver: Any, name: str) -> bool:
    """Return whether the element with this id is visible."""
    found: bool = driver.find_element("id", name).is_displayed()
    return found


def press(driver: Any, *keys: str) -> None:
    """Press keys in the focused element."""
    from selenium.webdriver.common.action_chains import ActionChains

    ActionChains(driver).send_keys(*keys).perform()


def tab_to(driver: Any, name: str) -> None:
    """Press Tab until the element with this id has the focus, and check that the focus shows."""
    from selenium.webdriver.common.keys import Keys

    for _ in range(20):
        press(driver, Keys.TAB)
        focused = driver.switch_to.active_element
        if focused.get_attribute("id") == name:
            assert focused.value_of_css_property("outline-style") != "none"
            return
    raise AssertionError(f"Tab never reaches {name}")


def console_errors(driver: Any) -> list[str]:
    """Return the errors in the browser's console."""
    entries = driver.get_log("browser")
    return [entry["message"] for entry in entries if entry["level"] == "SEVERE"]


def resize(driver: Any, width: int) -> None:
    """Set the page's width in CSS pixels; a headless window has a minimum width."""
    driver.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": 812, "deviceScaleFactor": 1, "mobile": width < 600},
    )


def prefer(driver: Any, scheme: str) -> None:
    """Set the preferred colour scheme, `"dark"` or `"light"`."""
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
const texts = "h1, h2, p, a, label, select, textarea, button, time";
for (const element of document.querySelectorAll(texts)) {
  if (!element.checkVisibility() || element.disabled) continue;
  const ink = luminance(getComputedStyle(element).color);
  const paper = luminance(paperOf(element));
  const contrast = (Math.max(ink, paper) + 0.05) / (Math.min(ink, paper) + 0.05);
  if (contrast < 4.5) faint.push(`${element.tagName} ${element.textContent}: ${contrast}`);
}
return faint;
"""


def faint_texts(driver: Any) -> list[str]:
    """Return the texts whose contrast is less than 4.5 to 1 (WCAG 2.2, 1.4.3)."""
    found: list[str] = driver.execute_script(_FAINT)
    return found


def unnamed_controls(driver: Any) -> list[str]:
    """Return the controls that have no name for a screen reader."""
    kinds = "a, button, select, textarea, meter, audio, input:not([type='hidden'])"
    controls = [each for each in driver.find_elements("css selector", kinds) if each.is_displayed()]
    return [control.get_attribute("outerHTML") for control in controls if not named(control)]


def named(control: Any) -> bool:
    """Return whether a control has a name for a screen reader."""
    return bool(control.accessible_name or control.get_attribute("aria-labelledby"))
