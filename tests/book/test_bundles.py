"""Stylesheets become one: nothing that a page needs is lost on the way."""

import tests.book.tiny_book  # noqa: F401  (it says where the extensions are)

from coursesite import bundles  # isort: skip

CSS = (
    '@charset "utf-8";a{color:red}'
    "@media (min-width:9px){.on b,.off b{top:0}.off{left:0}}"
    ".on:not(.off) i, .off{margin:0}.fa\\:x{right:0}@font-face{src:none}"
)
THEMES = (
    'html[data-theme="light"],html{--a:1}html[data-theme=dark]{--a:2}'
    "@media print{html[data-theme='dark'] p:is(.x,.y),p{top:0}}"
)


def test_rules_are_cut_at_the_outermost_braces():
    found = list(bundles.rules(CSS))
    assert [selector for selector, _ in found] == [
        "a",
        "@media (min-width:9px)",
        ".on:not(.off) i, .off",
        ".fa\\:x",
        "@font-face",
    ]
    assert found[0][1] == "{color:red}"


def test_rules_for_unknown_classes_go_and_all_others_stay():
    def known(*classes):
        return lambda selector: bundles.names(selector) <= {*classes}

    purged = bundles.purged(CSS, known("on", "b"))
    assert purged == (
        "a{color:red}@media (min-width:9px){.on b{top:0}}"
        ".on:not(.off) i{margin:0}@font-face{src:none}"
    )
    kept = bundles.purged(CSS, known("on", "off", "fa:x"))
    assert kept.count("{") == CSS.count("{")


def test_of_others_no_rule_stays_that_asks_what_is_below(tmp_path):
    rule = "a:has(b),i{top:0}@media print{p:has(q){top:0}}"
    for name in ("theme.css", "course.css"):
        (tmp_path / name).write_text(rule)
    files = (tmp_path / "theme.css", tmp_path / "course.css")
    bundles.join_styles(files, tmp_path, set())
    (site,) = tmp_path.glob("site-*.css")
    assert site.read_text() == f"i{{top:0}}{rule}"


def test_without_a_script_the_system_chooses_the_theme():
    assert bundles.themed(THEMES, "light") == 'html[data-theme="auto"]{--a:1}'
    assert bundles.themed(THEMES, "dark") == (
        'html[data-theme="auto"]{--a:2}'
        '@media print{html[data-theme="auto"] p:is(.x,.y){top:0}}'
    )


def test_imports_are_put_in_and_addresses_hold_elsewhere(tmp_path):
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "one.css").write_text('/* c */@import "../two.css";a{top:0}')
    text = "b{src:url(fonts/x.woff2)}i{src:url('data:x')}"
    (tmp_path / "two.css").write_text(text)
    whole = bundles.whole(tmp_path / "deep" / "one.css", tmp_path / "deep")
    assert whole == "b{src:url(../fonts/x.woff2)}i{src:url('data:x')}a{top:0}"


def test_the_words_of_pages_and_scripts_are_known(tmp_path):
    (tmp_path / "a.html").write_text('<p class="one two-x">')
    (tmp_path / "b.js").write_text('it.classList.add("three")')
    assert {"one", "two-x", "three"} <= bundles.words(tmp_path)


def test_what_an_earlier_build_has_joined_is_not_joined_again():
    link = '<link rel="stylesheet" href="../_static/{}">'
    assert bundles.LINK.search(link.format("course.css?v=1"))[1] == (
        "../_static/course.css"
    )
    for name in ("site-0123456789.css", "noscript-0123456789.css"):
        assert not bundles.LINK.search(link.format(f"styles/{name}"))


def test_the_options_that_pages_wait_for_are_found():
    script = '<script src="{}_static/documentation_options.js?v=1"></script>'
    for folder in ("", "../", "/site/"):
        assert bundles.OPTIONS.fullmatch(script.format(folder))
    assert not bundles.OPTIONS.search('<script src="_static/doctools.js"></script>')
