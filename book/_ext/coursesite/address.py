"""Addresses that are made from ``repository.url`` in ``_config.yml``.

A hand-written link says ``colab:book/01-scaling.ipynb`` or ``repo:issues``; the address
of the repository itself then stands in one place only.
"""

GITHUB = "https://github.com/"
COLAB = "https://colab.research.google.com/github"
RAW = "https://raw.githubusercontent.com"


def repository(config):
    """Return ``owner/name`` and the branch, or None where no address is configured."""
    options = config.html_theme_options
    url = (options.get("repository_url") or "").rstrip("/")
    if not url.startswith(GITHUB):
        return None
    return url.removeprefix(GITHUB), options.get("repository_branch", "main")


def image_base(config):
    """Return what the address of a picture in our own repository begins with."""
    found = repository(config)
    return "{}/{}/{}/".format(RAW, *found) if found else None


def website(config):
    """Return where GitHub Pages publishes the site, "" without an address."""
    found = repository(config)
    if not found:
        return ""
    owner, _, name = found[0].partition("/")
    return f"https://{owner}.github.io/{name}/"


def add_schemes(app, config):
    """Teach MyST the link schemes ``colab:`` and ``repo:``, and Sphinx the address."""
    found = repository(config)
    if not found:
        return
    config.html_baseurl = config.html_baseurl or website(config)
    name, branch = found
    known = config.myst_url_schemes
    schemes = dict(known) if isinstance(known, dict) else dict.fromkeys(known)
    schemes["colab"] = f"{COLAB}/{name}/blob/{branch}/{{{{path}}}}"
    schemes["repo"] = f"{GITHUB}{name}/{{{{path}}}}"
    config.myst_url_schemes = schemes


def setup(app):
    app.connect("config-inited", add_schemes)
