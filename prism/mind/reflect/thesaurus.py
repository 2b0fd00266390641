"""Thesaurus of everyday relations: words that speak of one thing in different parts of speech.

One line a sense, as in Roget: nouns, the verbs that go with them, phrases. A relation whose whole
name is an entry of a line may be asked for in any of the line's words. ``~word`` is a word that may
point to the relation without naming it, and needs no explanation by itself. Written as general
vocabulary, from no set of questions; what it lacks, the sentence encoder has to find.
"""

from __future__ import annotations

from prism.mind.reflect.words import word_set

SENSES = """
home, house, residence, address, live, lives in, reside, dwell, stay, settled, inhabit, home \
town, moved, ~where
birthplace, place of birth, born, born in, birth, native, hometown, home town, grow up, come \
from, hail, originate, origin, raised, come into the world, see the light of day, delivered, \
~from, ~where
birthday, date of birth, born, birth, birthdate, ~when
death, date of death, die, pass away, ~when
employer, work, works for, works at, workplace, employ, company, job, hire, employee, payroll, \
paycheck, staff, on the books, earns a living
job, profession, occupation, work, trade, career, role, position, do for a living, works as
spouse, husband, wife, partner, married, marry, married to, wed, wedded, better half, \
significant other, other half, hitched, marriage, tie the knot
mother, parent
father, parent
parent, mother, father
child, son, daughter, kid, offspring
son, child
daughter, child
sibling, brother, sister
brother, sibling
sister, sibling
friend, buddy, pal, mate
boss, manager, supervisor, chief, superior, report
neighbour, neighbor, next door
hobby, pastime, pursuit, leisure, free time, spare time, favourite pastime, like to do, fun, \
enjoy, recreation, interest, relax, unwind, pass the time
ceo, chief executive, chief executive officer, boss, head, leader, lead, run, helm, charge, \
manage, top executive, chief, exec, chief exec
president, head of state, leader, lead, head, govern, rule, preside, charge, presidency, run
mayor, leader, lead, head, govern, run, charge, city hall, town hall, mayoral
founder, found, founded, establish, start, create, set up, launch, begin, build
headquarters, head office, main offices, base, based, based in, seat, hq, headquartered, office, \
home, ~where
office, room, ~where
product, make, makes, produce, manufacture, sell, goods, build, known for
capital, capital city, seat of government, governed from, ruled from, seat of power
currency, money, coin, pay, cash, banknote, bill, spend, tender, coinage
continent, landmass, part of the world
language, speak, tongue, talk, spoken
country, nation, land, ~where
city, town, ~where
location, place, located, located in, lie, situated, ~where
phone code, dialling code, dialing code, dialling prefix, calling code, country code, phone \
prefix, dial, telephone code, call, phone, telephone
phone, phone number, telephone, number, call
email, mail, email address
tld, top level domain, internet domain, domain, internet, web, website, url, online, web \
address, end in, suffix
timezone, time zone, clock, time
river, waterway, flow, stream, water, run through, pass through, cross
symbol, stand for, abbreviation, abbreviate, shorthand, letter, notation, formula, written, \
spell, periodic table
discoverer, discover, discovered by, find, isolate, discovery
series, group, family, class, category, classify, classification
found in, occur, mine, extract, deposit, source, come from, supply, dig, quarry, ore, ~where
age, old
height, tall, high
weight, weigh, heavy
length, long
price, cost, expensive, worth
owner, own, belong, possess
author, write, wrote, written by, writer
inventor, invent
colour, shade
food, eats, eat, diet, feed
drink, drinks, beverage
breed, kind
car, vehicle, drive, drives
pet, animal
school, university, college, study, studies at, attend
teacher, teach
doctor, physician
allergy, allergic, allergic to
birthdate, birthday
nickname, alias, also known as, call
name, called, call
parked, parked in, park, parking spot, ~where
kept in, keep, kept, stored, store, ~where
population, inhabitant, people
surname, last name, family name
fiance, fiancee, engaged to, betrothed
afraid of, scared of, fear, frighten, scare
obsessed with, crazy about, keen on, fond of
assisted by, assistant, assist, help
director, head, in charge, run, lead, manage
grandmother, grandma, granny, nan, gran, nana
grandfather, grandpa, grandad, granddad
ruler, rule, reign, regent, monarch, king, queen
instrument, plays
orbits, go round, circle, revolve
"""
PERSON_RELATIONS = word_set(
    """spouse mother father parent child son daughter sibling brother sister friend boss manager
    neighbour ceo president mayor founder discoverer owner author inventor teacher doctor husband
    wife partner leader head director king queen coach"""
)
PLACE_RELATIONS = word_set(
    """home birthplace headquarters capital country city location place office state region
    continent address residence town school found lives based parked kept workplace"""
)
CONTAINERS = word_set("country city state region town province county location")
NAMING = frozenset({"name", "nickname", "alias", "also known as", "called"})
# of one sense with a word between them (a sibling), but never one for the other
RIVALS = frozenset(
    frozenset(pair.split("/"))
    for pair in ["brother/sister", "mother/father", "son/daughter", "mum/dad", "mom/dad"]
)
SYMMETRIC = word_set(
    "spouse husband wife married partner sibling neighbour friend colleague cousin twin"
)
