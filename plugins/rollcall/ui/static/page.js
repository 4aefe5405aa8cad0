// What the page can do without: it reads and works when none of this runs.
"use strict";

// Inside Airflow the page has Airflow's theme; by itself it has the browser's.
function followTheme() {
  if (window.parent === window) return;
  const theirs = window.parent.document.documentElement;
  const follow = () => {
    document.documentElement.dataset.theme = theirs.classList.contains("dark") ? "dark" : "light";
  };
  follow();
  new MutationObserver(follow).observe(theirs, { attributes: true, attributeFilter: ["class"] });
}

// A link to Airflow's own pages leaves the frame that this page is in.
function leaveTheFrame() {
  if (window.parent === window) return;
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-airflow]");
    if (!link) return;
    event.preventDefault();
    const outside = window.parent.document.createElement("a");
    outside.href = link.href;
    outside.click();
  });
}

// The list narrows down while one types.
function searchAsTyped() {
  const search = document.querySelector("input[name=q]");
  const rows = document.querySelectorAll("#districts tbody tr");
  if (!search || !rows.length) return;
  search.addEventListener("input", () => {
    const wanted = search.value.trim().toLowerCase();
    let shown = 0;
    for (const row of rows) {
      row.hidden = !row.dataset.words.includes(wanted);
      if (!row.hidden) shown += 1;
    }
    document.getElementById("none").hidden = shown > 0;
  });
}

// One press is one request, however often it is clicked.
function pressOnce() {
  for (const form of document.querySelectorAll("form.press")) {
    form.addEventListener("submit", (event) => {
      if (form.dataset.pressed) event.preventDefault();
      form.dataset.pressed = "yes";
    });
  }
}

followTheme();
leaveTheFrame();
searchAsTyped();
pressOnce();
