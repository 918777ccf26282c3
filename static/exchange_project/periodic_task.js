// Shows in words what the chosen crontab of a periodic task means.
"use strict";

const readable = JSON.parse(document.getElementById("readable-crontabs").textContent);
const choice = document.getElementById("id_crontab");
const help = document.querySelector(".field-crontab .help");

if (choice && help) {
  const original = help.textContent.trim();
  choice.addEventListener("change", () => {
    const words = readable[choice.value];
    help.textContent = words ? `${original} Translation: ${words}` : original;
  });
}
