/* Keeps an open page true: counts, time left, and a word when something grave comes in.
   Every page works without this file. */
(function () {
  "use strict";
  var since = "";
  var title = document.title;
  var unseen = 0;
  var counts = document.querySelector("[data-last]");
  if (counts) since = counts.getAttribute("data-last");

  function spoken(seconds) {
    var minutes = Math.floor(seconds / 60), hours = Math.floor(seconds / 3600);
    if (seconds < 60) return Math.floor(seconds) + "秒";
    if (minutes < 60) return minutes + "分钟";
    if (hours < 24) {
      var rest = minutes % 60;
      return hours + "小时" + (rest ? (rest < 10 ? "0" : "") + rest + "分" : "");
    }
    return Math.floor(hours / 24) + "天" + (hours % 24 ? (hours % 24) + "小时" : "");
  }

  /* By the server's clock: the machine on the desk may be minutes off. */
  var skew = 0;
  function tick() {
    var now = Date.now() + skew;
    document.querySelectorAll("[data-due]").forEach(function (place) {
      var left = (Date.parse(place.getAttribute("data-due")) - now) / 1000;
      place.textContent = left < 0 ? "已超时" + spoken(-left) : "剩余" + spoken(left);
      place.classList.toggle("late", left < 0);
      place.classList.toggle("soon", left >= 0 && left < 1800);
    });
  }

  function tell(news) {
    Object.keys(news.counts).forEach(function (name) {
      document.querySelectorAll('[data-count="' + name + '"]').forEach(function (place) {
        place.textContent = news.counts[name];
      });
    });
    if (since !== "" && news.changed) {
      var told = document.getElementById("told");
      if (told && !told.querySelector("[data-fresh]")) {
        var line = document.createElement("p");
        line.className = "note";
        line.setAttribute("data-fresh", "");
        line.appendChild(document.createTextNode("有新的变化。"));
        var again = document.createElement("a");
        again.href = location.pathname + location.search;
        again.textContent = "刷新本页";
        line.appendChild(again);
        told.appendChild(line);
      }
    }
    var alarm = document.getElementById("alarm");
    news.grave.forEach(function (item) {
      var line = document.createElement("p");
      var link = document.createElement("a");
      link.href = "/items/" + encodeURIComponent(item.number);
      link.textContent = "新的" + item.level + "条目：" + item.title;
      line.appendChild(link);
      alarm.insertBefore(line, alarm.firstChild);
      unseen += 1;
      document.title = "（" + unseen + "）" + item.level + " · " + title;
    });
    if (news.grave.length) ring();
    since = String(news.last);
  }

  var sound = document.querySelector("[data-sound]");
  if (sound) {
    sound.hidden = false;
    var box = sound.querySelector("input");
    try { box.checked = localStorage.getItem("tinglan-sound") === "1"; } catch (e) { /* private window */ }
    box.addEventListener("change", function () {
      try { localStorage.setItem("tinglan-sound", box.checked ? "1" : "0"); } catch (e) { /* same */ }
      if (box.checked) ring();
    });
  }
  function ring() {
    var wanted = false;
    try { wanted = localStorage.getItem("tinglan-sound") === "1"; } catch (e) { /* same */ }
    var Audio = window.AudioContext || window.webkitAudioContext;
    if (!wanted || !Audio) return;
    var out = new Audio();
    [0, 0.35, 0.7].forEach(function (at) {
      var tone = out.createOscillator();
      tone.frequency.value = 880;
      tone.connect(out.destination);
      tone.start(out.currentTime + at);
      tone.stop(out.currentTime + at + 0.2);
    });
  }

  document.querySelectorAll("[data-all]").forEach(function (all) {
    all.hidden = false;
    all.addEventListener("change", function () {
      all.form.querySelectorAll("input[name=chosen]").forEach(function (one) {
        one.checked = all.checked;
      });
    });
  });

  function poll() {
    fetch("/live.json?since=" + since, { credentials: "same-origin" })
      .then(function (answer) {
        if (answer.status === 401) throw new Error("over");
        return answer.json();
      })
      .then(function (news) { tell(news); setTimeout(poll, 30000); })
      .catch(function (why) { if (why.message !== "over") setTimeout(poll, 30000); else over(); });
  }
  function over() {
    var told = document.getElementById("told");
    var line = document.createElement("p");
    line.className = "note bad";
    line.textContent = "登录已失效，本页不再更新，请重新登录。";
    if (told) told.appendChild(line);
  }

  function listen() {
    if (!window.EventSource) { poll(); return; }
    var stream = new EventSource("/live" + (since ? "?since=" + since : ""));
    var failed = 0;
    stream.onmessage = function (event) { failed = 0; tell(JSON.parse(event.data)); };
    stream.addEventListener("over", function () { stream.close(); over(); });
    stream.onerror = function () {
      failed += 1;
      if (stream.readyState === 2 || failed > 3) { stream.close(); poll(); }
    };
    window.addEventListener("pagehide", function () { stream.close(); });
  }

  var made = document.body.getAttribute("data-now");
  if (made) skew = Date.parse(made) - Date.now();
  tick();
  setInterval(tick, 15000);
  document.addEventListener("visibilitychange", function () {
    if (!document.hidden && unseen) { unseen = 0; document.title = title; }
  });
  if (document.body.getAttribute("data-live")) listen();
})();
