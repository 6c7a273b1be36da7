// The pager of TRS columns: writes links to index.html, index_1.html (the second page) and so on.
function createPageHTML(pages, current, name, suffix) {
  function link(n, label) {
    var href = n === 0 ? name + "." + suffix : name + "_" + n + "." + suffix;
    return n === current ? "<b>" + label + "</b>" : '<a href="' + href + '">' + label + "</a>";
  }
  var out = "<span>共" + pages + "页</span>";
  if (current > 0) out += link(current - 1, "上一页");
  for (var n = 0; n < pages; n++) out += link(n, n + 1);
  if (current < pages - 1) out += link(current + 1, "下一页");
  document.write(out);
}
