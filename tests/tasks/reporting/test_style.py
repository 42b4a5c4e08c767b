"""A figure's file is the same for the same numbers, in every process."""

from pathlib import Path

from tasks.reporting.style import empty_figure, reproducible_files, save


def test_where_the_layouts_solver_rounds_does_not_show_in_the_file(tmp_path: Path) -> None:
    """It sums in the order of addresses, so that axes end a last digit apart."""
    with reproducible_files():
        for name, off in (("one", 0.0), ("two", 1e-13)):
            figure = empty_figure(3, "Two panels")
            figure.set_layout_engine("none")
            for place, axis in enumerate(figure.subplots(1, 2)):
                axis.set_position((0.1 + 0.5 * place + off, 0.15, 0.3 + off, 0.7))
                axis.plot([0, 1, 2], [1, 3, 2])
            save(figure, tmp_path / name)
    one, two = ((tmp_path / f"{name}.svg").read_bytes() for name in ("one", "two"))
    assert one.count(b"<clipPath") == 2
    assert one == two


def test_panels_do_not_overlap_each_others_labels(tmp_path: Path) -> None:
    with reproducible_files():
        figure = empty_figure(3, "Two panels")
        left, right = figure.subplots(1, 2)
        right.set_ylabel("A label that needs room\nand a second line")
        save(figure, tmp_path / "figure")
    room = right.get_position().x0 - left.get_position().x1
    assert room > figure.subplotpars.wspace * left.get_position().width
