"""Files that are kept as they are read: no batch is another one, and the memory has its limits."""

from __future__ import annotations

import contextlib
import copy
import gc
import multiprocessing
import os
import pathlib
import pickle
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from comparison import fingerprint
from PIL import Image

from multiflow import MultiDirImageDataGenerator
from multiflow.images import auto_cache
from multiflow.images.auto_cache import Budget, Shelf
from multiflow.images.decoding import Picture
from multiflow.images.files import Decoding, Files, ImageAndArrayFiles, ImageFiles, MaskFiles

SIZE = (9, 7)
IMAGE_BYTES = 9 * 7 * 3
# The age at which files count as settled in these tests: longer than a tick of their file system.
AGE = 0.02
KINDS = ["directory", "directories", "dataframe", "mask folders"]


@pytest.fixture(autouse=True)
def own_budget(monkeypatch: pytest.MonkeyPatch) -> Iterator[Budget]:
    """The budget without the images of other tests, and with all files settled after a moment."""
    gc.collect()
    for name, value in vars(Budget()).items():
        monkeypatch.setattr(auto_cache.budget, name, value)
    monkeypatch.setattr(auto_cache, "SETTLED_AFTER_NS", int(AGE * 1e9))
    monkeypatch.setattr(auto_cache, "PART_OF_TIME", float("inf"))  # garbage goes when it must
    monkeypatch.setattr(auto_cache, "available", lambda: 2**40)
    yield auto_cache.budget
    gc.collect()


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that are read, in their order."""
    names: list[str] = []

    def record(read: Callable[..., Any]) -> Callable[..., Any]:
        def record_and_read(*arguments: Any) -> Any:
            names.append(os.path.basename(next(each for each in arguments if type(each) is str)))
            return read(*arguments)

        return record_and_read

    monkeypatch.setattr(Picture, "__init__", record(Picture.__init__))
    monkeypatch.setattr(Files, "_load_array", record(Files._load_array))
    monkeypatch.setattr(MaskFiles, "_load", record(MaskFiles._load))
    return names


@pytest.fixture
def root(tmp_path: pathlib.Path) -> pathlib.Path:
    """A folder of two classes with six BMP files each, whose lengths are equal."""
    for number in range(12):
        write_image(tmp_path / "root" / "ab"[number % 2] / f"{number:02d}.bmp", seed=number)
    time.sleep(2 * AGE)
    return tmp_path / "root"


def write_image(path: pathlib.Path, seed: int, side: int = 12) -> None:
    pixels = np.random.default_rng(seed).integers(0, 256, (side, side, 3), np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def make_flow(kind: str, root: pathlib.Path, settings: Any = None, **options: Any) -> Any:
    """A flow of a kind over the images below a root; masks are the images in grey."""
    settings = {"rotation_range": 30, "rescale": 1 / 255} if settings is None else settings
    generator = MultiDirImageDataGenerator(**settings)
    options = {"target_size": SIZE, "batch_size": 5, "seed": 3, **options}
    if kind == "directory":
        return generator.flow_from_directory(root, **options)
    if kind == "directories":
        return generator.flow_from_directories([root], **options)
    if kind == "dataframe":
        frame = pd.DataFrame({"filename": sorted(map(str, root.rglob("*.bmp")))})
        return generator.flow_from_dataframe(frame, class_mode=None, **options)
    masks = root.with_name("masks")
    for path in () if masks.exists() else sorted(root.rglob("*.bmp")):
        target = masks / path.relative_to(root)
        target.parent.mkdir(parents=True, exist_ok=True)
        with Image.open(path) as image:
            image.convert("L").save(target)
    time.sleep(2 * AGE)
    return generator.flow_segmentation_from_directories([root], [masks], **options)


def epoch(flow: Any) -> list[Any]:
    return [fingerprint(next(flow)) for _ in range(len(flow))]


@pytest.mark.parametrize("kind", KINDS)
def test_files_are_read_once(kind: str, root: pathlib.Path, reads: list[str]) -> None:
    flow, plain = make_flow(kind, root), make_flow(kind, root, cache=None)
    for _ in range(3):
        assert epoch(flow) == epoch(plain)
    num_reads = 24 if kind == "mask folders" else 12
    assert len(reads) == num_reads + 3 * num_reads
    expected = 12 * (IMAGE_BYTES + (63 if kind == "mask folders" else 0))
    assert f", {expected / 1000:.1f} kB kept>" in repr(flow)
    assert "kept" not in repr(plain)


@pytest.mark.parametrize(
    "settings",
    [
        {"preprocessing_function": lambda image: image[::-1] * 2},
        {"samplewise_center": True, "data_format": "channels_first"},
        {"brightness_range": (0.5, 1.5), "corrected": True, "rng": "per_sample"},
        {"zoom_range": 0.5, "fill_mode": "constant", "threads": 1},
    ],
)
@pytest.mark.parametrize(
    "options",
    [
        {"color_mode": "grayscale", "interpolation": "bilinear"},
        {"keep_aspect_ratio": True, "target_size": (12, 12)},
    ],
)
def test_changes_no_batch(
    root: pathlib.Path, reads: list[str], settings: Any, options: Any
) -> None:
    flow, plain = (
        make_flow("directory", root, settings, cache=each, **options) for each in ("auto", None)
    )
    for _ in range(3):
        assert epoch(flow) == epoch(plain)
    assert len(reads) == 12 + 36


def test_arrays_and_deep_greys(tmp_path: pathlib.Path, reads: list[str]) -> None:
    rng = np.random.default_rng(0)
    for folder in ("images", "masks"):
        (tmp_path / folder).mkdir()
    np.save(tmp_path / "images/real.npy", rng.normal(size=(2, 14, 12)))
    np.save(tmp_path / "masks/real.npy", rng.integers(-(2**60), 2**60, (14, 12)))
    np.save(tmp_path / "images/other.npy", rng.integers(0, 9, (2, 14, 12)).astype(">i2"))
    np.save(tmp_path / "masks/other.npy", rng.integers(0, 9, (14, 12)))
    time.sleep(2 * AGE)
    generator = MultiDirImageDataGenerator(rotation_range=30, data_format="channels_first")
    roots = [tmp_path / "images"], [tmp_path / "masks"]
    flow, plain = (
        generator.flow_segmentation_from_directories(*roots, seed=1, cache=cache)
        for cache in ("auto", None)
    )
    for _ in range(3):
        assert epoch(flow) == epoch(plain)
    assert len(reads) == 4 + 12


@pytest.mark.parametrize("dtype", ["?", "u1", ">u2", "<i8", ">f4", "<f2", "<f8", "<g", ">g"])
def test_arrays_are_as_in_the_files(tmp_path: pathlib.Path, dtype: str) -> None:
    rng = np.random.default_rng(0)
    paths = [str(tmp_path / f"{number}.npy") for number in range(4)]
    for path, order in zip(paths, "CFCF", strict=True):
        pixels = rng.integers(-2, 2, (11, 12, 1)).astype(dtype, order=order)  # type: ignore[call-overload]
        np.save(path, pixels)
    time.sleep(2 * AGE)
    for size in ((11, 12), (7, 9)):
        files = ImageAndArrayFiles(paths, Decoding(size, "grayscale", "nearest", False, False))
        kept = Shelf().of(files)
        for index in (0, 1, 2, 3, 0, 1, 2, 3):
            received, expected = kept[index], files[index]
            assert (received.dtype, received.shape) == (expected.dtype, expected.shape)
            assert received.strides[:2] == expected.strides[:2]
            assert received.flags.aligned
            assert received.tobytes() == expected.tobytes()
        assert kept.kept_bytes == 4 * expected.nbytes


class TestChangedFiles:
    """Whatever happens to the files, batches are those of a flow that keeps nothing."""

    @pytest.mark.parametrize("kind", KINDS)
    @pytest.mark.parametrize("is_replaced", [False, True])
    def test_with_equal_size_and_time(
        self, kind: str, root: pathlib.Path, is_replaced: bool, reads: list[str]
    ) -> None:
        flow, plain = make_flow(kind, root), make_flow(kind, root, cache=None)
        assert epoch(flow) == epoch(plain)
        path = root / "a/04.bmp"
        before = path.stat()
        if is_replaced:
            path.rename(root.parent / "old")
        write_image(path, seed=99)
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
        after = path.stat()
        assert (after.st_size, after.st_mtime_ns) == (before.st_size, before.st_mtime_ns)
        reads.clear()
        assert epoch(flow) == epoch(plain)
        of_plain = 24 if kind == "mask folders" else 12
        assert len(reads) == of_plain + 1

    def test_that_are_young_are_not_kept(
        self, root: pathlib.Path, monkeypatch: pytest.MonkeyPatch, reads: list[str]
    ) -> None:
        monkeypatch.setattr(auto_cache, "SETTLED_AFTER_NS", 60 * 10**9)
        flow = make_flow("directory", root)
        os.utime(root / "a/00.bmp", (0, 0))  # which makes it no older
        for _ in range(2):
            epoch(flow)
        assert len(reads) == 24

    def test_while_they_are_read(self, root: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
        flow = make_flow("directory", root, {}, shuffle=False, batch_size=1)
        read, path = ImageFiles.read_pixels, root / "a/00.bmp"

        def read_and_change(files: Files, index: int) -> Any:
            pixels = read(files, index)
            write_image(path, seed=100)
            return pixels

        with monkeypatch.context() as patch:
            patch.setattr(ImageFiles, "read_pixels", read_and_change)
            next(flow)
        plain = make_flow("directory", root, {}, shuffle=False, batch_size=1, cache=None)
        assert fingerprint(flow[0]) == fingerprint(plain[0])

    def test_that_vanish(self, root: pathlib.Path) -> None:
        flow = make_flow("directory", root, shuffle=False)
        epoch(flow)
        (root / "a/00.bmp").unlink()
        with pytest.raises(FileNotFoundError, match=r"00\.bmp"):
            flow[0]
        (root / "a/00.bmp").mkdir()
        with pytest.raises(OSError, match=r"00\.bmp"):
            flow[0]

    def test_that_break(self, root: pathlib.Path) -> None:
        flow = make_flow("directory", root, shuffle=False)
        epoch(flow)
        path = root / "a/00.bmp"
        path.write_bytes(path.read_bytes()[:100])
        with pytest.raises(OSError, match=r"00\.bmp.* cannot be read"):
            flow[0]

    def test_that_another_flow_has_seen_changed(self, tmp_path: pathlib.Path) -> None:
        for folder in ("root", "masks"):
            (tmp_path / folder).mkdir()
            Image.fromarray(np.ones((9, 9), np.uint8)).save(tmp_path / folder / "0.png")
        flow = make_flow("mask folders", tmp_path / "root", {})
        for folder in ("root", "masks"):
            Image.fromarray(np.ones((18, 18), np.uint8)).save(tmp_path / folder / "0.png")
        other = make_flow("mask folders", tmp_path / "root", {})
        epoch(other)
        with pytest.raises(ValueError, match="changed since the flow was made"):
            next(flow)

    @pytest.mark.parametrize("seed", range(6))
    def test_attack(self, tmp_path: pathlib.Path, seed: int, own_budget: Budget) -> None:
        """Flows over the same files, of which some change between and during epochs."""
        rng = np.random.default_rng(seed)
        paths = [tmp_path / "root" / "ab"[number % 2] / f"{number}.bmp" for number in range(8)]
        for number, path in enumerate(paths):
            write_image(path, number)
        options: list[dict[str, Any]] = [
            {"subset": "training"},
            {"subset": "validation"},
            {"color_mode": "grayscale"},
            {"target_size": (5, 4), "interpolation": "bilinear"},
            {"target_size": (5, 4)},
        ]
        settings = {
            "validation_split": 0.4,
            "rotation_range": 20,
            "threads": int(rng.integers(1, 4)),
        }
        limit = int(rng.choice([0, 3, 20, 1000])) * (IMAGE_BYTES + auto_cache.BYTES_OF_ENTRY)
        pairs = []
        for kind in ("directory", "directories"):
            for each in options:
                each = {**each, "batch_size": int(rng.integers(1, 5))}
                pairs.append(
                    [
                        make_flow(kind, tmp_path / "root", settings, cache=cache, **each)
                        for cache in ("auto", None)
                    ]
                )
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(auto_cache, "MAX_BYTES", limit)
            time.sleep(AGE)
            for step in range(60):
                if rng.random() < 0.2:
                    time.sleep(1.5 * AGE)  # what is kept from now on is older than what changes
                    path = paths[rng.integers(len(paths))]
                    before = path.stat()
                    if rng.random() < 0.3:
                        path.unlink()
                    write_image(path, seed=int(rng.integers(10**6)))
                    if rng.random() < 0.7:
                        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
                kept, plain = pairs[rng.integers(len(pairs))]
                assert fingerprint(next(kept)) == fingerprint(next(plain)), step
                assert own_budget._used <= limit


class TestSeveralFlows:
    """Images are shared by flows that read the same file in the same way, and by no others."""

    def test_share(self, root: pathlib.Path, reads: list[str]) -> None:
        flows = [make_flow(kind, root) for kind in KINDS[:3]]
        for flow in flows:
            epoch(flow)
        assert len(reads) == 12

    def test_of_subsets_share_nothing(self, root: pathlib.Path, reads: list[str]) -> None:
        for subset in ("training", "validation"):
            flow, plain = (
                make_flow("directory", root, {"validation_split": 0.5}, subset=subset, cache=cache)
                for cache in ("auto", None)
            )
            assert epoch(flow) == epoch(plain)
        assert len(reads) == 24

    @pytest.mark.parametrize(
        "change",
        [
            {"target_size": (7, 9)},
            {"color_mode": "grayscale"},
            {"interpolation": "box"},
            {"keep_aspect_ratio": True},
        ],
    )
    def test_that_read_in_another_way(
        self, root: pathlib.Path, reads: list[str], change: Any
    ) -> None:
        first = make_flow("directory", root)
        epoch(first)
        reads.clear()
        flow, plain = (
            make_flow("directory", root, cache=each, **change) for each in ("auto", None)
        )
        assert epoch(flow) == epoch(plain)
        assert len(reads) == 24
        for name, value in change.items():
            setattr(first, name, value)
        assert np.array_equal(first[0][0].shape, flow[0][0].shape)
        first.total_batches_seen = flow.total_batches_seen = 0
        assert fingerprint(first[1]) == fingerprint(flow[1])

    def test_masks_of_colours(self, tmp_path: pathlib.Path) -> None:
        for folder in ("root", "masks"):
            write_image(tmp_path / folder / "0.bmp", 1)
            pixels = np.zeros((12, 12, 3), np.uint8)
            pixels[:6] = 255
            Image.fromarray(pixels).save(tmp_path / folder / "0.bmp")
        colors = [{(0, 0, 0): 0, (255, 255, 255): number} for number in (1, 2)]
        flows = [make_flow("mask folders", tmp_path / "root", {}, mask_colors=of) for of in colors]
        for _ in range(2):
            assert [int(next(flow)[1].max()) for flow in flows] == [1, 2]

    def test_masks_of_colours_that_are_edited(self, tmp_path: pathlib.Path) -> None:
        pixels = np.full((12, 12, 3), 255, np.uint8)
        Image.fromarray(pixels).save(tmp_path / "0.bmp")
        time.sleep(2 * AGE)
        colors = {(255, 255, 255): 1}

        def make_masks() -> Any:
            decoding = Decoding((12, 12), None, "nearest", False, False)
            return MaskFiles([str(tmp_path / "0.bmp")], decoding, None, np.dtype("u1"), {}, colors)

        first = Shelf().of(make_masks())
        colors[255, 255, 255] = 2
        taken = first.take(np.arange(1))
        assert taken[0].max() == 1
        assert Shelf().of(make_masks())[0].max() == 2

    def test_in_threads(self, root: pathlib.Path) -> None:
        plain = [make_flow("directory", root, cache=None, seed=seed) for seed in range(4)]
        settings = {"rotation_range": 30, "rescale": 1 / 255, "rng": "per_sample"}
        plain, flows = (
            [make_flow(kind, root, settings, cache=cache, seed=n) for n, kind in enumerate(KINDS)]
            for cache in (None, "auto")
        )
        expected = [epoch(flow) + epoch(flow) for flow in plain]
        with ThreadPoolExecutor(4) as pool:
            assert list(pool.map(lambda flow: epoch(flow) + epoch(flow), flows)) == expected

    def test_derived_and_copied(self, root: pathlib.Path, reads: list[str]) -> None:
        flow = make_flow("directory", root)
        expected = epoch(flow)
        for other in (copy.copy(flow), copy.deepcopy(flow), flow.repeat()):
            next(other)
        assert len(reads) == 12
        shipped = pickle.loads(pickle.dumps(flow))
        assert len(pickle.dumps(flow)) < 5000
        assert "kept" not in repr(shipped)
        fresh = make_flow("directory", root)
        assert epoch(fresh) == expected


class TestBudget:
    """All flows together keep no more than the budget allows, and what they keep stays."""

    def test_ends_in_mid_epoch(
        self, root: pathlib.Path, monkeypatch: pytest.MonkeyPatch, reads: list[str]
    ) -> None:
        monkeypatch.setattr(auto_cache, "MAX_BYTES", 5 * (IMAGE_BYTES + auto_cache.BYTES_OF_ENTRY))
        flow, plain = make_flow("directory", root), make_flow("directory", root, cache=None)
        assert epoch(flow) == epoch(plain)
        kept = set(flow._cache._images)
        for _ in range(3):
            reads.clear()
            assert epoch(flow) == epoch(plain)
            assert len(reads) == 12 + 7
            assert set(flow._cache._images) == kept
        assert "0.9 kB kept" in repr(flow)

    def test_is_shared(
        self, root: pathlib.Path, monkeypatch: pytest.MonkeyPatch, reads: list[str]
    ) -> None:
        one = IMAGE_BYTES + auto_cache.BYTES_OF_ENTRY
        monkeypatch.setattr(auto_cache, "SMALLEST_PIECE", one)
        monkeypatch.setattr(auto_cache, "MAX_BYTES", 19 * one)
        flows = [make_flow("directory", root, interpolation=name) for name in ("nearest", "box")]
        for flow in flows:
            epoch(flow)
        reads.clear()
        for flow in flows:
            epoch(flow)
        # The first flow has taken pieces for 1, 2, 4 and 8 images, of which 3 are left.
        assert len(reads) == 12 - 4

    def test_images_go_with_the_last_flow(
        self, root: pathlib.Path, monkeypatch: pytest.MonkeyPatch, reads: list[str]
    ) -> None:
        monkeypatch.setattr(auto_cache, "MAX_BYTES", 12 * (IMAGE_BYTES + auto_cache.BYTES_OF_ENTRY))
        settings = {"threads": 1}
        first = make_flow("directory", root, settings)
        derived = first.repeat()
        epoch(first)
        other, third = (make_flow("directory", root, settings, target_size=(7, n)) for n in (8, 9))
        del first
        epoch(other)
        assert "kept" not in repr(other)
        del derived
        epoch(third)
        reads.clear()
        epoch(third)
        assert not reads

    def test_new_flows_do_not_wait_for_room_again_and_again(
        self, root: pathlib.Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        collections = []

        def collect() -> None:
            collections.append(time.sleep(0.05))

        monkeypatch.setattr(auto_cache, "MAX_BYTES", 3 * (IMAGE_BYTES + auto_cache.BYTES_OF_ENTRY))
        monkeypatch.setattr(auto_cache, "PART_OF_TIME", 1e-6)
        monkeypatch.setattr(auto_cache, "gc", SimpleNamespace(collect=collect))
        flows = [make_flow("directory", root, target_size=(7, side)) for side in range(8, 14)]
        for flow in flows:
            epoch(flow)
        assert len(collections) == 1
        monkeypatch.setattr(time, "monotonic", lambda: 1e12)  # much later
        epoch(flows[0])
        assert len(collections) == 1  # its own turn is over
        epoch(flows[1])
        assert len(collections) == 2

    @pytest.mark.parametrize(
        ("free", "expected"), [(0, 0), (50_000, 5_000), (10**9, 10**8), (10**12, 2**30)]
    )
    def test_is_a_tenth_of_what_is_free(
        self, monkeypatch: pytest.MonkeyPatch, free: int, expected: int
    ) -> None:
        budget = Budget()
        # What is taken is free no longer.
        monkeypatch.setattr(auto_cache, "available", lambda: free - budget._used)
        monkeypatch.setattr(auto_cache, "PATIENCE", 0)
        assert not budget.take(expected + 1, 2**40)
        assert budget.take(1, expected // 3) == expected // 3
        assert budget.take(1, 2**40) == expected - expected // 3
        assert not budget.take(1, 1)

    def test_free_memory_is_looked_up_again(self, monkeypatch: pytest.MonkeyPatch) -> None:
        budget, looks = Budget(), []

        def look() -> int:
            looks.append(budget._used)
            return 10**9 - budget._used

        monkeypatch.setattr(auto_cache, "available", look)
        part = auto_cache.LARGEST_PIECE // 10
        for _ in range(10):  # of which one look tells enough
            assert budget.take(1, part) == part
        assert len(looks) == 1
        assert budget.take(1, 10**9) == 10**8 - 10 * part
        for _ in range(100):
            assert not budget.take(1, 1)
        assert len(looks) == 3
        budget.give_back(10**6)
        assert budget.take(10**6, 10**7) == 10**6
        assert not budget.take(1, 1)
        now = time.monotonic()
        monkeypatch.setattr(time, "monotonic", lambda: now + auto_cache.PATIENCE)
        monkeypatch.setattr(auto_cache, "available", lambda: 10**10)
        assert budget.take(1, 10**6) == 10**6

    def test_where_the_system_does_not_tell(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def fail() -> int:
            raise ImportError

        monkeypatch.setattr(auto_cache, "available", fail)
        assert Budget().take(1, 2**40) == auto_cache.ASSUMED_FREE // 10

    def test_memory_that_the_system_does_not_give(
        self, root: pathlib.Path, monkeypatch: pytest.MonkeyPatch, own_budget: Budget
    ) -> None:
        def fail(*_: Any) -> None:
            raise MemoryError

        flow, plain = make_flow("directory", root), make_flow("directory", root, cache=None)
        monkeypatch.setattr(auto_cache, "np", SimpleNamespace(empty=fail, uint8=np.uint8))
        assert epoch(flow) == epoch(plain)
        assert own_budget.take(1, 2**30) == 2**30

    def test_nothing_is_kept_without_it(self, root: pathlib.Path, reads: list[str]) -> None:
        flow = make_flow("directory", root, cache=None)
        epoch(flow)
        epoch(flow)
        assert len(reads) == 24


class TestProcesses:
    """Forked processes share what was read before; others keep their own."""

    def test_forked(self, root: pathlib.Path, own_budget: Budget) -> None:
        flow = make_flow("directory", root)
        expected = epoch(flow)
        pipe, end = multiprocessing.Pipe()

        def work() -> None:
            ImageFiles.read_pixels = None  # type: ignore[assignment]  # nothing is read
            fresh = make_flow("directory", root)
            fresh._cache = flow._cache
            end.send((epoch(fresh), own_budget.take(1, 1) and own_budget._inherited))

        process = multiprocessing.get_context("fork").Process(target=work)
        process.start()
        assert pipe.poll(60)
        received, inherited = pipe.recv()
        process.join()
        assert received == expected
        assert inherited == own_budget._used > 0

    def test_a_fork_shares_the_rest(self, monkeypatch: pytest.MonkeyPatch) -> None:
        budget = Budget()
        assert budget.take(2**29, 2**29)
        pipe, end = multiprocessing.Pipe()

        def work() -> None:
            monkeypatch.setattr(auto_cache, "num_cores", lambda: 4)
            end.send([budget.take(1, 2**29), budget.take(1, 1)])

        process = multiprocessing.get_context("fork").Process(target=work)
        process.start()
        assert pipe.poll(60)
        assert pipe.recv() == [2**27, 0]
        process.join()

    def test_a_forked_budget_is_free_again(self, own_budget: Budget) -> None:
        with own_budget._lock:
            pid = os.fork()
            if not pid:
                os._exit(0 if own_budget.take(1, 1) else 1)
        assert os.waitpid(pid, 0)[1] == 0

    def test_spawned(self, root: pathlib.Path) -> None:
        flow = make_flow("directory", root)
        first = copy.copy(flow)
        expected = [epoch(flow), epoch(flow)]
        first.reset()
        first.total_batches_seen = 0
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
            received = pool.submit(two_epochs_of, first).result()
        assert list(received[:2]) == expected
        assert received[2] > 0


def two_epochs_of(flow: Any) -> tuple[Any, Any, int]:
    auto_cache.SETTLED_AFTER_NS = 0
    assert flow._cache.num_bytes == 0
    return epoch(flow), epoch(flow), flow._cache.num_bytes


def test_kept_images_cannot_be_written_to(root: pathlib.Path) -> None:
    flow, plain = make_flow("directory", root), make_flow("directory", root, cache=None)
    for image in flow.read_images(np.arange(3)):
        with contextlib.suppress(ValueError):  # those of Pillow are read-only
            image[:] = 0
    for image in flow.read_images(np.arange(3)):
        with pytest.raises(ValueError, match="read-only"):
            image[:] = 0
    assert epoch(flow) == epoch(plain)


def test_needs_no_library(
    root: pathlib.Path, reads: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("psutil", "filelock"):
        monkeypatch.setitem(sys.modules, name, None)
    flow = make_flow("directory", root)
    epoch(flow)
    epoch(flow)
    assert len(reads) == 12


def test_readers_in_threads_may_ask_how_much_is_kept(root: pathlib.Path) -> None:
    flow = make_flow("directory", root, batch_size=1)
    stop = threading.Event()
    errors: list[Exception] = []

    def look() -> None:
        while not stop.is_set():
            try:
                repr(flow)
            except Exception as error:
                errors.append(error)

    thread = threading.Thread(target=look)
    with contextlib.ExitStack() as stack:
        stack.callback(thread.join)
        stack.callback(stop.set)
        thread.start()
        epoch(flow)
    assert not errors
