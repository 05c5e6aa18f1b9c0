"""The trilingual lexicon of the sentence pairs: nouns, adjectives and verbs in English, German and French, by hand.

Each table has one word a line: English | German | French. What the tables hold is only what a rule cannot derive:

- nouns: `fox foxes | m Fuchs Füchse | m renard renards`, gender first; `weak` German nouns take their plural's form in
  every case but the nominative (der Löwe, den Löwen); a star at the French gender: no elision (le hibou).
- places: in front of each noun its preposition, `in forest | in m Wald Wälder | dans f forêt forêts`.
- adjectives: `old older | alt älter | before vieux vieille vieil`, with the comparatives (colours have none) and the
  place before or after the French noun; the third French form stands before a vowel (le vieil ours).
- verbs: `see sees saw | sieht sehen sah sahen | voit voient vu`, the German and French forms for one and for many; the
  French past is the participle (behind `être` where that is the auxiliary) or, for lasting states, two imperfect forms.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Noun:
    """A noun in three languages; plurals stand second."""

    english: tuple[str, str]
    german: tuple[str, str]
    german_gender: str  # m, f, n
    weak: bool
    french: tuple[str, str]
    french_gender: str  # m, f
    aspirated: bool


@dataclass(frozen=True)
class Place:
    """A noun with the preposition that says where: in the forest, by the lake, on the hill."""

    noun: Noun
    english: str
    german: str
    french: str


@dataclass(frozen=True)
class Adjective:
    """An adjective with its comparative ("" for colours); `french` is masculine, feminine, masculine before a vowel."""

    english: tuple[str, str]
    german: tuple[str, str]
    french: tuple[str, str, str]
    before: bool  # does it stand before the French noun?


@dataclass(frozen=True)
class Verb:
    """A verb's forms: English base, third person, past; German and French present and past for one and for many."""

    english: tuple[str, str, str]
    german: tuple[str, str, str, str]
    french: tuple[str, str]
    participle: str  # empty where the past is the imperfect
    with_etre: bool
    imperfect: tuple[str, str]
    dative: bool = False  # does its German object stand in the dative?


@dataclass(frozen=True)
class Opener:
    """An adverbial that opens a sentence."""

    english: str
    german: str
    french: str


def _cells(table: str) -> list[list[list[str]]]:
    """Split a table into lines, columns and words."""
    return [[cell.split() for cell in line.split("|")] for line in table.strip().splitlines()]


def _noun(english: list[str], german: list[str], french: list[str]) -> Noun:
    return Noun(
        english=(english[0], english[1]),
        german=(german[1], german[2]),
        german_gender=german[0],
        weak=german[3:] == ["weak"],
        french=(french[1], french[2]),
        french_gender=french[0].rstrip("*"),
        aspirated=french[0].endswith("*"),
    )


def _nouns(table: str) -> list[Noun]:
    return [_noun(*cells) for cells in _cells(table)]


def _places(table: str) -> list[Place]:
    places = []
    for english, german, french in _cells(table):
        gender = next(at for at, word in enumerate(french) if word in ("m", "f"))  # "au bord de" is three words
        noun = _noun(english[1:], german[1:], french[gender:])
        places.append(Place(noun, english[0], german[0], " ".join(french[:gender])))
    return places


def _adjectives(table: str) -> list[Adjective]:
    rows = []
    for english, german, french in _cells(table):
        position, masculine, feminine, *vowel = french
        forms = (masculine, feminine, vowel[0] if vowel else masculine)
        rows.append(
            Adjective(
                (english[0], " ".join(english[1:])), (german[0], " ".join(german[1:])), forms, position == "before"
            )
        )
    return rows


def _verbs(table: str, dative: bool = False) -> list[Verb]:
    rows = []
    for english, german, french in _cells(table):
        *words, base, third, past = english
        particle = words[0] if words else ""  # "for looks looked" reads: look for
        forms = tuple(f"{form} {particle}".strip() for form in (base, third, past))
        present, rest = (french[0], french[1]), french[2:]
        etre = rest[0] == "être"
        imperfect = (rest[0], rest[1]) if len(rest) == 2 and not etre else ("", "")
        participle = "" if imperfect[0] else rest[-1]
        one, many, one_past, many_past = german
        rows.append(
            Verb(
                (forms[0], forms[1], forms[2]),
                (one, many, one_past, many_past),
                present,
                participle,
                etre,
                imperfect,
                dative,
            )
        )
    return rows


ANIMALS = _nouns("""
lion lions | m Löwe Löwen weak | m lion lions
fox foxes | m Fuchs Füchse | m renard renards
wolf wolves | m Wolf Wölfe | m loup loups
bear bears | m Bär Bären weak | m ours ours
hare hares | m Hase Hasen weak | m lièvre lièvres
rabbit rabbits | n Kaninchen Kaninchen | m lapin lapins
mouse mice | f Maus Mäuse | f souris souris
cat cats | f Katze Katzen | m chat chats
dog dogs | m Hund Hunde | m chien chiens
horse horses | n Pferd Pferde | m cheval chevaux
cow cows | f Kuh Kühe | f vache vaches
goat goats | f Ziege Ziegen | f chèvre chèvres
pig pigs | n Schwein Schweine | m cochon cochons
duck ducks | f Ente Enten | m canard canards
goose geese | f Gans Gänse | f oie oies
hen hens | f Henne Hennen | f poule poules
owl owls | f Eule Eulen | m* hibou hiboux
raven ravens | m Rabe Raben weak | m corbeau corbeaux
eagle eagles | m Adler Adler | m aigle aigles
frog frogs | m Frosch Frösche | f grenouille grenouilles
tortoise tortoises | f Schildkröte Schildkröten | f tortue tortues
hedgehog hedgehogs | m Igel Igel | m* hérisson hérissons
squirrel squirrels | n Eichhörnchen Eichhörnchen | m écureuil écureuils
donkey donkeys | m Esel Esel | m âne ânes
monkey monkeys | m Affe Affen weak | m singe singes
elephant elephants | m Elefant Elefanten weak | m éléphant éléphants
snake snakes | f Schlange Schlangen | m serpent serpents
swan swans | m Schwan Schwäne | m cygne cygnes
bee bees | f Biene Bienen | f abeille abeilles
ant ants | f Ameise Ameisen | f fourmi fourmis
bird birds | m Vogel Vögel | m oiseau oiseaux
lamb lambs | n Lamm Lämmer | m agneau agneaux
beaver beavers | m Biber Biber | m castor castors
badger badgers | m Dachs Dachse | m blaireau blaireaux
camel camels | n Kamel Kamele | m chameau chameaux
zebra zebras | n Zebra Zebras | m zèbre zèbres
otter otters | m Otter Otter | f loutre loutres
tiger tigers | m Tiger Tiger | m tigre tigres
parrot parrots | m Papagei Papageien | m perroquet perroquets
heron herons | m Reiher Reiher | m* héron hérons
crane cranes | m Kranich Kraniche | f grue grues
gull gulls | f Möwe Möwen | f mouette mouettes
penguin penguins | m Pinguin Pinguine | m pingouin pingouins
seal seals | m Seehund Seehunde | m phoque phoques
""")

PEOPLE = _nouns("""
king kings | m König Könige | m roi rois
queen queens | f Königin Königinnen | f reine reines
farmer farmers | m Bauer Bauern weak | m fermier fermiers
miller millers | m Müller Müller | m meunier meuniers
baker bakers | m Bäcker Bäcker | m boulanger boulangers
man men | m Mann Männer | m homme hommes
woman women | f Frau Frauen | f femme femmes
grandmother grandmothers | f Großmutter Großmütter | f grand-mère grands-mères
""")

CHILDREN = _nouns("""
boy boys | m Junge Jungen weak | m garçon garçons
girl girls | n Mädchen Mädchen | f fille filles
child children | n Kind Kinder | m enfant enfants
""")

THINGS = _nouns("""
key keys | m Schlüssel Schlüssel | f clé clés
basket baskets | m Korb Körbe | m panier paniers
lamp lamps | f Lampe Lampen | f lampe lampes
book books | n Buch Bücher | m livre livres
ball balls | m Ball Bälle | f balle balles
bell bells | f Glocke Glocken | f cloche cloches
cup cups | f Tasse Tassen | f tasse tasses
drum drums | f Trommel Trommeln | m tambour tambours
feather feathers | f Feder Federn | f plume plumes
flower flowers | f Blume Blumen | f fleur fleurs
hat hats | m Hut Hüte | m chapeau chapeaux
stone stones | m Stein Steine | f pierre pierres
box boxes | f Kiste Kisten | f boîte boîtes
coat coats | m Mantel Mäntel | m manteau manteaux
ring rings | m Ring Ringe | f bague bagues
rope ropes | n Seil Seile | f corde cordes
letter letters | m Brief Briefe | f lettre lettres
picture pictures | n Bild Bilder | f image images
ladder ladders | f Leiter Leitern | f échelle échelles
scarf scarves | m Schal Schals | f écharpe écharpes
axe axes | f Axt Äxte | f* hache haches
broom brooms | m Besen Besen | m balai balais
knife knives | n Messer Messer | m couteau couteaux
glass glasses | n Glas Gläser | m verre verres
""")

FOOD = _nouns("""
apple apples | m Apfel Äpfel | f pomme pommes
egg eggs | n Ei Eier | m œuf œufs
nut nuts | f Nuss Nüsse | f noix noix
cake cakes | m Kuchen Kuchen | m gâteau gâteaux
orange oranges | f Orange Orangen | f orange oranges
pear pears | f Birne Birnen | f poire poires
""")

PLACES = _places("""
in forest forests | in m Wald Wälder | dans f forêt forêts
in garden gardens | in m Garten Gärten | dans m jardin jardins
in house houses | in n Haus Häuser | dans f maison maisons
in barn barns | in f Scheune Scheunen | dans f grange granges
in cave caves | in f Höhle Höhlen | dans f grotte grottes
in village villages | in n Dorf Dörfer | dans m village villages
in kitchen kitchens | in f Küche Küchen | dans f cuisine cuisines
in castle castles | in n Schloss Schlösser | dans m château châteaux
in valley valleys | in n Tal Täler | dans f vallée vallées
in stable stables | in m Stall Ställe | dans f étable étables
in shop shops | in m Laden Läden | dans m magasin magasins
in school schools | in f Schule Schulen | dans f école écoles
in meadow meadows | auf f Wiese Wiesen | dans m pré prés
in field fields | auf n Feld Felder | dans m champ champs
on hill hills | auf m Hügel Hügel | sur f colline collines
on mountain mountains | auf m Berg Berge | sur f montagne montagnes
on bridge bridges | auf f Brücke Brücken | sur m pont ponts
on island islands | auf f Insel Inseln | sur f île îles
on roof roofs | auf n Dach Dächer | sur m toit toits
by lake lakes | an m See Seen | au bord de m lac lacs
by river rivers | an m Fluss Flüsse | au bord de f rivière rivières
by pond ponds | an m Teich Teiche | au bord de m étang étangs
by sea seas | an n Meer Meere | au bord de f mer mers
by well wells | an m Brunnen Brunnen | près de m puits puits
by mill mills | an f Mühle Mühlen | près de m moulin moulins
by gate gates | an n Tor Tore | près de m portail portails
by tree trees | an m Baum Bäume | près de m arbre arbres
""")

SIZES = _adjectives("""
big bigger | groß größer | before grand grande
small smaller | klein kleiner | before petit petite
old older | alt älter | before vieux vieille vieil
""")

NATURES = _adjectives("""
young younger | jung jünger | before jeune jeune
lazy lazier | faul fauler | after paresseux paresseuse
proud prouder | stolz stolzer | after fier fière
happy happier | glücklich glücklicher | after heureux heureuse
sad sadder | traurig trauriger | after triste triste
tired more tired | müde müder | after fatigué fatiguée
clever cleverer | klug klüger | after intelligent intelligente
brave braver | mutig mutiger | after courageux courageuse
strong stronger | stark stärker | after fort forte
slow slower | langsam langsamer | after lent lente
fast faster | schnell schneller | after rapide rapide
""")

LOOKS = _adjectives("""
new newer | neu neuer | before nouveau nouvelle nouvel
beautiful more beautiful | schön schöner | before beau belle bel
heavy heavier | schwer schwerer | after lourd lourde
light lighter | leicht leichter | after léger légère
round rounder | rund runder | after rond ronde
""")

COLOURS = _adjectives("""
black | schwarz | after noir noire
white | weiß | after blanc blanche
brown | braun | after brun brune
grey | grau | after gris grise
red | rot | after rouge rouge
green | grün | after vert verte
yellow | gelb | after jaune jaune
blue | blau | after bleu bleue
""")

BE = _verbs("be is was | ist sind war waren | est sont était étaient")[0]
HAVE = _verbs("have has had | hat haben hatte hatten | a ont avait avaient")[0]
EAT = _verbs("eat eats ate | isst essen aß aßen | mange mangent mangé")[0]

HANDLE = _verbs("""
find finds found | findet finden fand fanden | trouve trouvent trouvé
carry carries carried | trägt tragen trug trugen | porte portent porté
buy buys bought | kauft kaufen kaufte kauften | achète achètent acheté
sell sells sold | verkauft verkaufen verkaufte verkauften | vend vendent vendu
lose loses lost | verliert verlieren verlor verloren | perd perdent perdu
hide hides hid | versteckt verstecken versteckte versteckten | cache cachent caché
for look looks looked | sucht suchen suchte suchten | cherche cherchent cherché
take takes took | nimmt nehmen nahm nahmen | prend prennent pris
""")

MEET = _verbs("""
see sees saw | sieht sehen sah sahen | voit voient vu
hear hears heard | hört hören hörte hörten | entend entendent entendu
know knows knew | kennt kennen kannte kannten | connaît connaissent connaissait connaissaient
love loves loved | liebt lieben liebte liebten | aime aiment aimait aimaient
""")

SERVE = _verbs(
    """
help helps helped | hilft helfen half halfen | aide aident aidé
thank thanks thanked | dankt danken dankte dankten | remercie remercient remercié
follow follows followed | folgt folgen folgte folgten | suit suivent suivi
""",
    dative=True,
)

GIVE = _verbs("""
give gives gave | gibt geben gab gaben | donne donnent donné
show shows showed | zeigt zeigen zeigte zeigten | montre montrent montré
sell sells sold | verkauft verkaufen verkaufte verkauften | vend vendent vendu
""")

ACT = _verbs("""
sleep sleeps slept | schläft schlafen schlief schliefen | dort dorment dormi
sing sings sang | singt singen sang sangen | chante chantent chanté
wait waits waited | wartet warten wartete warteten | attend attendent attendu
dance dances danced | tanzt tanzen tanzte tanzten | danse dansent dansé
work works worked | arbeitet arbeiten arbeitete arbeiteten | travaille travaillent travaillé
live lives lived | lebt leben lebte lebten | vit vivent vivait vivaient
play plays played | spielt spielen spielte spielten | joue jouent joué
""")

GO = _verbs("go goes went | geht gehen ging gingen | va vont être allé")[0]
ENTER = _verbs("go goes went | geht gehen ging gingen | entre entrent être entré")[0]
COME = _verbs("come comes came | kommt kommen kam kamen | vient viennent être venu")[0]

NOW = [
    Opener("today", "heute", "aujourd'hui,"),
    Opener("now", "jetzt", "maintenant,"),
    Opener("at night", "in der Nacht", "la nuit,"),
    Opener("in the evening", "am Abend", "le soir,"),
]
THEN = [
    Opener("yesterday", "gestern", "hier,"),
    Opener("this morning", "heute Morgen", "ce matin,"),
    Opener("last week", "letzte Woche", "la semaine dernière,"),
]
