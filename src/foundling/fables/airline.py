"""An airline's service desk, a worked example of a domain: `airline(seed, count, split)` yields questions and answers.

Each record is {"instruction", "input", "output", "kind"}: what a passenger asks, the booking as the airline's computer
shows it, and what the desk says. All that an answer needs stands in the booking; what does not belong to a service desk
is turned away. A booking decides its split; in validation and test a third of the questions are phrased in a new way.
"""

from collections.abc import Iterator
from random import Random
from typing import NamedTuple

from foundling.fables.phrasing import check_split, say, split_of

UNSEEN = 3  # in validation and test, one question in so many has a phrasing that training never saw
CITIES = [
    "Ashford", "Brightwater", "Cedarville", "Dunmore", "Eastport", "Fairhaven", "Greenfield", "Highbury", "Ironbridge",
    "Kingsbay", "Lakeside", "Millbrook", "Northgate", "Oakridge", "Pinehill", "Ravenswood", "Stonefield", "Westcliff",
]  # fmt: skip
DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
FARES = ["basic", "standard", "flexible"]
SLOTS = {
    "hello": ["", "", "", "Hello, ", "Hi, ", "Good morning, ", "Excuse me, "],
    "please": ["", "", ", please"],
    "flight": ["my flight", "my plane", "the flight"],
    "tell": ["could you tell me", "do you know", "will you tell me"],
    "elsewhere": ["the weather on the moon", "football", "my homework", "cooking", "your favourite song"],
}


class Topic(NamedTuple):
    """How a question is asked, in training and only in validation and test, and how it is answered."""

    seen: tuple[str, ...]
    unseen: tuple[str, ...]
    answer: str


TOPICS = {
    "gate": Topic(
        ("{hello}which gate does {flight} leave from?", "{hello}where do I board{please}?", "{hello}what is my gate?",
         "{hello}{tell} my gate?", "{hello}I cannot find the gate of {flight}.", "{hello}at which gate do we board?",
         "{hello}where must I go now?", "{hello}the gate{please}?"),
        ("{hello}to which gate must I go?", "{hello}where is my gate?"),
        "Flight {number} to {city} leaves from gate {gate}.",
    ),
    "time": Topic(
        ("{hello}when does {flight} leave?", "{hello}[at ]what time do we fly?", "{hello}when is my departure?",
         "{hello}{tell} when we leave?", "{hello}when do we take off?", "{hello}on which day do we fly?",
         "{hello}I forgot when {flight} leaves.", "{hello}the time of my departure{please}?"),
        ("{hello}how soon does {flight} take off?", "{hello}on what day and when do we leave?"),
        "Flight {number} leaves on {day} at {time}.",
    ),
    "seat": Topic(
        ("{hello}which seat do I have?", "{hello}where do I sit{please}?", "{hello}what is my seat number?",
         "{hello}{tell} where I sit?", "{hello}I forgot my seat.", "{hello}which one is my seat on {flight}?",
         "{hello}do I have a seat?", "{hello}my seat{please}?"),
        ("{hello}can you tell me my seat?", "{hello}where is my seat?"),
        "Your seat is {seat}.",
    ),
    "bags": Topic(
        ("{hello}how many bags may I take?", "{hello}how much luggage is included?", "{hello}may I bring a suitcase?",
         "{hello}{tell} how many bags I may bring?", "{hello}what luggage can I take on {flight}?",
         "{hello}is a suitcase included?", "{hello}I have two bags, is this too much?", "{hello}my bags{please}?"),
        ("{hello}what about my luggage?", "{hello}can I take a big suitcase?"),
        "Your {fare} fare includes {bags}.",
    ),
    "change": Topic(
        ("{hello}can I change {flight}?", "{hello}I want to fly on another day.", "{hello}may I rebook{please}?",
         "{hello}{tell} if I can change {flight}?", "{hello}can I fly later?", "{hello}I must change my plans.",
         "{hello}is there another flight for me?", "{hello}I want to take an earlier flight."),
        ("{hello}I need a later flight.", "{hello}can I fly on a different day?"),
        "{change}",
    ),
    "refund": Topic(
        ("{hello}can I have my money back?", "{hello}I want to cancel {flight}.", "{hello}is there a refund{please}?",
         "{hello}{tell} if I get a refund?", "{hello}I do not want to fly any more.", "{hello}I cannot fly at all.",
         "{hello}what do you pay back when I cancel?", "{hello}I want my money back{please}."),
        ("{hello}what do I get back when I do not fly?", "{hello}how much money do I get when I cancel?"),
        "{refund}",
    ),
    "delay": Topic(
        ("{hello}is {flight} on time?", "{hello}is there a delay?", "{hello}is {flight} late?",
         "{hello}{tell} if {flight} is late?", "{hello}how late are we?", "{hello}must I wait long?",
         "{hello}do we leave on time?", "{hello}is everything as planned?"),
        ("{hello}do we leave as planned?", "{hello}how long is the delay?"),
        "{punctual}",
    ),
    "else": Topic(
        ("{hello}tell me about {elsewhere}.", "{hello}do you like {elsewhere}?", "{hello}help me with {elsewhere}.",
         "{hello}what do you know about {elsewhere}?", "{hello}{tell} more about {elsewhere}?",
         "{hello}I want to hear about {elsewhere}.", "{hello}who are you?", "{hello}how are you?"),
        ("{hello}let us talk about {elsewhere}.", "{hello}can you help me with {elsewhere}?"),
        "I am sorry, I can only help you with your flight.",
    ),
}  # fmt: skip
BAGS = {
    "basic": "one small bag and no suitcase",
    "standard": "one small bag and one suitcase",
    "flexible": "two suitcases",
}
CHANGE = {
    "basic": "I am sorry, a basic fare cannot be changed.",
    "standard": "Yes, you can change flight {number} for a fee of 30.",
    "flexible": "Yes, you can change flight {number} for free.",
}
REFUND = {
    "basic": "I am sorry, there is no refund for a basic fare.",
    "standard": "If you cancel flight {number}, you get half of the price back.",
    "flexible": "If you cancel flight {number}, you get the whole price back.",
}


def airline(seed: int, count: int, split: str) -> Iterator[dict[str, str]]:
    """Yield `count` questions with their booking and answer."""
    check_split(split)
    rng = Random(f"airline {seed} {split}")
    for _ in range(count):
        booking = _booking(rng)
        while split_of("airline", booking["number"], booking["city"]) != split:
            booking = _booking(rng)
        kind = rng.choice(list(TOPICS))
        topic = TOPICS[kind]
        patterns = topic.unseen if split != "train" and rng.randrange(UNSEEN) == 0 else topic.seen
        question = say(rng.choice(patterns), rng, SLOTS)
        given = "Flight {number} to {city}, {day} {time}, gate {gate}, seat {seat}, {fare} fare, {status}.".format_map(
            booking
        )
        output = topic.answer.format_map(booking).format_map(
            booking
        )  # an answer may hold another that names the flight
        yield {"instruction": question[0].upper() + question[1:], "input": given, "output": output, "kind": kind}


def _booking(rng: Random) -> dict[str, str]:
    fare, late = rng.choice(FARES), rng.choice((0, 0, 20, 40, 60))
    return {
        "number": f"F{rng.randrange(100, 1000)}",
        "city": rng.choice(CITIES),
        "day": rng.choice(DAYS),
        "time": f"{rng.randrange(6, 22)}:{rng.randrange(0, 60, 5):02}",
        "gate": f"{rng.choice('ABCD')}{rng.randrange(1, 30)}",
        "seat": f"{rng.randrange(1, 31)}{rng.choice('ABCDEF')}",
        "fare": fare,
        "status": f"{late} minutes late" if late else "on time",
        "bags": BAGS[fare],
        "change": CHANGE[fare],
        "refund": REFUND[fare],
        "punctual": f"Flight {{number}} is {late} minutes late." if late else "Yes, flight {number} is on time.",
    }
