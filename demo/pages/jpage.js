// The list of jpage columns: shows the records sent along, fetches other pages from the proxy.
function jpage(unit, options) {
  var box = document.getElementById(unit);
  var pages = Math.max(1, Math.ceil(options.totalRecord / options.perPage));
  var list = document.createElement("ul");
  var pager = document.createElement("div");
  list.className = "list";
  pager.className = "pager";

  function show(xml, page) {
    list.innerHTML = "";
    xml.querySelectorAll("record").forEach(function (record) {
      list.insertAdjacentHTML("beforeend", record.textContent);
    });
    pager.innerHTML = "<span>共" + options.totalRecord + "条　第" + page + "/" + pages + "页</span>";
    for (var n = 1; n <= pages; n++) button(n, page);
  }
  function button(n, page) {
    var node = document.createElement(n === page ? "b" : "a");
    node.textContent = n;
    node.href = "#";
    node.onclick = function () { turn(n); return false; };
    pager.appendChild(node);
  }
  function turn(page) {
    var first = (page - 1) * options.perPage + 1, last = page * options.perPage;
    fetch(options.proxyUrl + "?startrecord=" + first + "&endrecord=" + last + "&perpage=" + options.perPage,
      {method: "POST", body: new URLSearchParams(options.ajaxParam)})
      .then(function (answer) { return answer.text(); })
      .then(function (text) { show(parse(text), page); });
  }
  function parse(text) { return new DOMParser().parseFromString(text.trim(), "text/xml"); }

  var sent = parse(box.querySelector("script").textContent);
  box.append(list, pager);
  show(sent, 1);
}
