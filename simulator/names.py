"""Invented names of people, schools and places, from many languages; some of them are hard on a careless CSV reader."""

import unicodedata
from typing import Final


def _words(text: str, *phrases: str) -> tuple[str, ...]:
    return (*text.split(), *phrases)


GIVEN: Final = _words(
    """
    Aaliyah Abdi Adaeze Ahmed Aiko Aisha Alejandra Alma Amara Ana Andrés Anika Anjali Arjun Asha Astrid Avery Beatriz
    Benjamin Bảo Camila Carlos Cedric Chiara Chidi Chloe Dalia Daniel Darius Deepa Diego Dmitri Ebony Eduardo Elena Eli
    Emeka Emily Esperanza Ethan Fatima Felipe Fernanda Finn Gabriel Giang Grace Guadalupe Hana Haruto Hassan Hector
    Imani Ines Ioana Isaac Isabella Ivan Jamal Jasmine Javier Jing Joaquín Jorge José Josefina Kai Karim Katarzyna
    Keanu Kenji Khadija Kiara Kwame Lakshmi Lan Leilani Leticia Liam Linh Lola Luis Łukasz Mai Malik María Mateo Mei
    Mele Miguel Mina Minh Mohammed Nadia Naomi Nayeli Ngozi Nia Noah Nohemi Olga Omar Oscar Paola Pedro Phuong Priya
    Quan Rafael Ravi Renée Rosa Ruth Samira Samuel Santiago Sefa Siobhán Sofía Soren Tala Tariq Tevita Thandiwe Thomas
    Tomás Valentina Vivian Wei Xiomara Xóchitl Yara Yuki Yusuf Zainab Zoë 美玲 Мария 지우 यश نور
    """,
    "Anne Marie",
    "Mary-Kate",
    'Roberto "Beto"',
    "D'Andre",
)

FAMILY: Final = _words(
    """
    Abara Abdullah Acosta Adeyemi Aguilar Alvarez Amaya Andersen Arroyo Avila Baker Banerjee Barrera Bautista Begay
    Bennett Bianchi Bui Cabrera Calderón Campbell Carrillo Castañeda Chang Chaudhry Chavez Cho Cisneros Cohen Contreras
    Cortez Cruz Dang Delgado Desai Diaz Dominguez Duong Edwards Eriksen Escobar Espinoza Farah Fernández Fisher Flores
    Fonseca Freeman Fuentes Gallegos García Gill Goldberg González Green Gupta Gutiérrez Haddad Hahn Hansen Harris
    Hernández Herrera Hoang Hughes Hussein Ibarra Ibrahim Iyer Jackson Jiménez Johansson Johnson Kaur Kealoha Kim
    Kowalski Kumar Lam Le Lee Leon Lozano Luna Macías Mahmoud Maldonado Mancini Marquez Martínez Mbeki Medina Mehta
    Mendoza Mensah Meyer Miller Molina Moore Morales Moreno Müller Muñoz Murphy Nakamura Navarro Nguyễn Nielsen Novak
    Núñez Ochoa Okafor Okonkwo Olsen Orozco Ortega Osman Pacheco Park Patel Pereira Pham Phan Popescu Quintero Ramírez
    Reddy Reyes Ríos Rivera Robinson Rojas Romero Rossi Salazar Sandoval Santos Sato Schmidt Shah Sharma Silva Singh
    Smith Soto Suzuki Tanaka Taylor Thao Thompson Torres Tran Tsosie Tuiasosopo Ueda Valdez Vang Vargas Vasquez Vega
    Villanueva Volkov Vu Wagner Walker Wang Washington Weiss White Williams Wong Wu Xiong Yamada Yang Young Zamora Zhang
    Žižek O'Brien O'Connor N'Diaye Ōtsuka 李 Иванова 김 خان
    """,
    "de la Cruz",
    "Van der Berg",
    "Smith-Okafor",
    "Johnson, Jr.",
    "Walker, III",
    "Ka'ahumanu",
)

CITIES: Final = (
    "Almendra Park",
    "Bellweather",
    "Cedar Flats",
    "Dos Arroyos",
    "Eastmoor",
    "Fernhollow",
    "Granite Bend",
    "Harrow Point",
    "Isla Mirada",
    "Juniper Wells",
    "Kestrel Bay",
    "Las Palomas Viejas",
)

_FIRST: Final = _words(
    """
    Alder Almond Amber Bay Birch Blue Canyon Cedar Clear Copper Coyote Cypress Desert Eagle Elm Fern Golden
    Granite Hawk Hazel Juniper Laurel Linden Madrone Maple Meadow Mesa Olive Orchard Palm Pine Poppy Quail
    Redwood River Sage Silver Sycamore Walnut Willow
    """
)
_SECOND: Final = _words(
    """
    Bend Bluff Bridge Brook Cove Creek Crest Dale Falls Field Gate Glen Grove Hill Hollow Knoll Lake Park
    Point Ridge Springs Terrace Valley View
    """
)
_AFTER_PEOPLE: Final = ('Dolores "Lola" Arroyo', "Peña Blanca", "Abara, Mensah & Luna", "Tsosie-O'Connor")


def school_name(number: int, kind: str) -> str:
    """Return a name for a district's school of that number, unlike those of all its other schools."""
    if number % 8 == 3 and number // 8 < len(_AFTER_PEOPLE):
        return f"{_AFTER_PEOPLE[number // 8]} {kind}"
    turn, place = divmod(number, len(_FIRST) * len(_SECOND))
    first, second = _FIRST[place % len(_FIRST)], _SECOND[(place + place // len(_FIRST)) % len(_SECOND)]
    return f"{first} {second} {kind}" if turn == 0 else f"{first} {second} {kind} {turn + 1}"


def plain(name: str) -> str:
    """Return the name as it would stand in a user name: small Latin letters only, possibly none at all."""
    letters = unicodedata.normalize("NFKD", name.casefold())
    return "".join(letter for letter in letters if "a" <= letter <= "z")
