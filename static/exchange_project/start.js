// Keeps the glance at the venue fresh while the page is looked at.
const glance = document.getElementById("glance");

async function refresh() {
  if (document.hidden) return;
  try {
    const page = await (await fetch(location.href)).text();
    const fresh = new DOMParser().parseFromString(page, "text/html").getElementById("glance");
    if (fresh) glance.innerHTML = fresh.innerHTML;
  } catch (error) {
    console.warn("The venue does not answer:", error);
  }
}

setInterval(refresh, 5000);
