"""The kit on one sheet of paper, as PDF."""

from typing import TYPE_CHECKING

from rollcall.onboarding.kit import Kit, Step

if TYPE_CHECKING:
    from fpdf import FPDF

MARGIN_MM = 14
FIELD_AND_VALUE = (30, 100)
"""How wide the columns of a form are, in parts."""
LINE, QUIET, INK = (200, 206, 213), (91, 102, 117), (31, 39, 51)
PLAIN = str.maketrans("\N{MODIFIER LETTER TURNED COMMA}\N{RIGHT SINGLE QUOTATION MARK}\N{EN DASH}", "''-")
"""Signs of names that the fonts which every PDF reader has do not know, and what stands for them."""


def kit_pdf(kit: Kit) -> bytes:
    """The sheet, in Letter format; what the fonts of PDF do not know is shown as a question mark."""
    from fpdf import FPDF

    sheet = FPDF(format="letter")
    sheet.set_margin(MARGIN_MM)
    sheet.set_auto_page_break(True, MARGIN_MM)
    sheet.set_title(_known(kit.title))
    sheet.set_draw_color(*LINE)
    sheet.add_page()
    _write(sheet, kit.title, size=14, bold=True)
    _write(sheet, kit.about, color=QUIET)
    for number, step in enumerate(kit.steps, start=1):
        sheet.ln(2)
        _write(sheet, f"{number}. {step.title}", size=11, bold=True)
        _write_step(sheet, step)
    sheet.ln(2)
    _write(sheet, kit.closing, color=QUIET)
    return bytes(sheet.output())


def _write_step(sheet: "FPDF", step: Step) -> None:
    from fpdf import FontFace

    if step.entries:
        _write(sheet, "", size=9)  # the table takes its font from here
        with sheet.table(col_widths=FIELD_AND_VALUE, first_row_as_headings=False, line_height=4.6, padding=0.6) as form:
            for entry in step.entries:
                row = form.row()
                row.cell(_known(entry.field), style=FontFace(color=QUIET))
                row.cell(_known(entry.value + (f" ({entry.note})" if entry.note else "")))
    if step.ticks:
        _write(sheet, ", ".join(step.ticks), bold=True)
    for line in step.lines:
        _write(sheet, line)


def _write(sheet: "FPDF", text: str, *, size: int = 9, bold: bool = False, color: tuple[int, int, int] = INK) -> None:
    """Write a paragraph."""
    sheet.set_font("Helvetica", "B" if bold else "", size)
    sheet.set_text_color(*color)
    if text:
        sheet.multi_cell(0, size * 0.48, _known(text), align="L", new_x="LMARGIN", new_y="NEXT")


def _known(text: str) -> str:
    """A text in the signs that the fonts know."""
    return text.translate(PLAIN).encode("latin-1", "replace").decode("latin-1")
