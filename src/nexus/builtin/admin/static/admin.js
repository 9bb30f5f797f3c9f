// What pages do beyond HTML: buttons say that they are at work and for how long, and lists that grow stay bounded.
"use strict";

document.addEventListener("submit", (event) => {
  const button = event.submitter;
  if (!button || !button.dataset.busy || event.target.getAttribute("aria-busy") === "true") {
    return;
  }
  event.target.setAttribute("aria-busy", "true");
  const began = Date.now();
  button.textContent = button.dataset.busy;
  setInterval(() => {
    button.textContent = `${button.dataset.busy} ${Math.floor((Date.now() - began) / 1000)} s`;
  }, 1000);
  // Disabled only after the form has been read, or its own value would be missing.
  setTimeout(() => { button.disabled = true; }, 0);
});

// A page that comes back from the browser's memory must not look as if it were still at work.
window.addEventListener("pageshow", (event) => {
  if (event.persisted) {
    window.location.reload();
  }
});

// A page that is looked at does not move under the reader's hand.
document.addEventListener("htmx:beforeRequest", (event) => {
  const selection = window.getSelection();
  const live = event.target;
  const isTimer = live.matches && live.matches("[hx-trigger^='every']");
  if (isTimer && (live.contains(document.activeElement)
      || (selection && !selection.isCollapsed && live.contains(selection.anchorNode)))) {
    event.preventDefault();
  }
});

// The dot beside a title says whether what is below it comes by itself.
for (const [name, isOn] of [["htmx:sseOpen", true], ["htmx:sseError", false], ["htmx:sseClose", false]]) {
  document.addEventListener(name, (event) => {
    const section = event.target.closest("section");
    const dot = section && section.querySelector(".live");
    if (dot) {
      dot.classList.toggle("on", isOn);
    }
  });
}

document.addEventListener("htmx:afterSwap", (event) => {
  const list = event.target.closest ? event.target.closest("[data-most]") : null;
  if (list) {
    const most = Number(list.dataset.most);
    while (list.children.length > most) {
      list.lastElementChild.remove();
    }
  }
});
