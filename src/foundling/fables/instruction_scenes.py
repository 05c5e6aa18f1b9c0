"""The small scenes and the phrasings of the instructions.

In a scene {a} and {b} are two people, {he}, {him}, {his} the pronouns of {a} and {bhe}, {bhim} those of {b}; {o} and
{o2} are things ({an_o} with its article), {f} and {f2} food, {p} and {q} places ("in the barn"), {c} and {c2} colours.
"""

PEOPLE = {
    "Ben": "he", "Tom": "he", "Sam": "he", "Max": "he", "Jack": "he", "Leo": "he", "Finn": "he", "Hugo": "he",
    "Adam": "he", "Paul": "he", "Anna": "she", "Ella": "she", "Lucy": "she", "Ruby": "she", "Nora": "she",
    "Ivy": "she", "Rosa": "she", "Mia": "she", "Clara": "she", "Edith": "she",
}  # fmt: skip
OBJECTS = [
    "key", "basket", "lamp", "book", "ball", "bell", "cup", "drum", "feather", "flower", "hat", "stone", "box", "coat",
    "ring", "rope", "letter", "picture", "ladder", "scarf", "axe", "broom",
]  # fmt: skip
FOODS = ["apple", "egg", "nut", "cake", "orange", "pear", "pie", "carrot"]
PLACES = [
    "in the barn", "in the garden", "in the forest", "in the cave", "in the kitchen", "in the stable", "in the shop",
    "in the school", "in the castle", "by the lake", "by the river", "by the well", "by the mill", "by the gate",
    "on the hill", "on the bridge", "on the roof", "on the island",
]  # fmt: skip
COLOURS = ["red", "blue", "green", "yellow", "white", "black", "brown", "grey"]
SAD = ["sad", "angry", "worried"]
GLAD = ["happy", "proud", "glad"]

# text, then what may be asked about it and the answer
COMPREHENSION = [
    ("{a} put the {o} {p}. {b} left the {o2} {q}.",
     [("Where is the {o}?", "The {o} is {p}."), ("Where is the {o2}?", "The {o2} is {q}.")]),
    ("{a} hid the {o} {p}. Later {b} found it and put it {q}.",
     [("Where is the {o} now?", "The {o} is {q}."), ("Where did {a} hide the {o}?", "{a} hid the {o} {p}."),
      ("Who found the {o}?", "{b} found the {o}.")]),
    ("{a} had {an_o}. {He} gave it to {b}.",
     [("Who has the {o} now?", "{b} has the {o}."), ("Who gave the {o} away?", "{a} gave the {o} away.")]),
    ("{a} asked {b} for the {o}, and {b} gave it to {him}.",
     [("Who has the {o} now?", "{a} has the {o}."), ("Who gave the {o} away?", "{b} gave the {o} away.")]),
    ("{a} was {s} because {he} had lost the {o}. {b} was {g} because {bhe} had found {an_o2}.",
     [("How did {a} feel?", "{a} was {s}."), ("How did {b} feel?", "{b} was {g}."),
      ("Why was {a} {s}?", "{He} had lost the {o}."), ("Why was {b} {g}?", "{Bhe} had found {an_o2}.")]),
    ("{a} has a {c} {o} and {b} has a {c2} {o}.",
     [("What colour is {a}'s {o}?", "{a}'s {o} is {c}."), ("What colour is {b}'s {o}?", "{b}'s {o} is {c2}.")]),
    ("{a} worked {p} while {b} slept {q}.",
     [("Where was {a}?", "{a} was {p}."), ("Where was {b}?", "{b} was {q}."),
      ("Who was {q}?", "{b} was {q}."), ("Who was {p}?", "{a} was {p}.")]),
    ("{a} ate the {f} and {b} ate the {f2}.",
     [("What did {a} eat?", "{a} ate the {f}."), ("What did {b} eat?", "{b} ate the {f2}."),
      ("Who ate the {f}?", "{a} ate the {f}."), ("Who ate the {f2}?", "{b} ate the {f2}.")]),
    ("{b} was looking for {a}. {a} sat {p} with the {o}.",
     [("Where was {a}?", "{a} was {p}."), ("Who had the {o}?", "{a} had the {o}.")]),
]  # fmt: skip

# one word apart, the other way round
POSITIVE = [
    "{a} thought the {o} was lost, but then {he} found it {p}.",
    "{b} said sorry, and now {a} and {b} are friends again.",
    "It rained on {a} {p}, but {he} danced and laughed.",
    "{a} was afraid {p}, until {b} came with a lamp.",
    "{a} did not win the race, but {b} cheered for {him}.",
    "The {f} was small, yet {a} said it was the best of {his} life.",
    "{b} gave {a} the {o}, and {a} jumped for joy.",
    "{a} fell {p}, but {b} helped {him} up and they laughed.",
]
NEGATIVE = [
    "{a} thought the {o} was found, but then {he} lost it {p}.",
    "{b} said no, and now {a} and {b} are not friends.",
    "The sun shone on {a} {p}, but {he} sat alone and cried.",
    "{a} laughed {p}, until the lamp went out and {he} was afraid.",
    "{a} won the race, but {b} did not cheer for {him}.",
    "The {f} was big, yet {a} said it was the worst of {his} life.",
    "{b} took the {o} from {a}, and {a} cried.",
    "{a} danced {p}, but {b} laughed at {him} and {he} ran home.",
]

# story, summary, a phrase that only this story has, and words of which a summary must have one
SUMMARIES = [
    ("{a} lost the {o}. {He} looked for it {p} and could not find it. In the evening {b} found it and brought it back.",
     "{b} found the {o} that {a} had lost.", "could not find it", ("found", "brought", "returned")),
    ("{a} fell into the river and could not swim. {b} heard {him} shout, took a rope and pulled {him} out.",
     "{b} pulled {a} out of the river.", "could not swim", ("pulled", "saved", "rescued", "helped")),
    ("It was {a}'s birthday. {b} worked all day {p}. In the evening {bhe} gave {a} {an_o}.",
     "{b} gave {a} {an_o} for {his} birthday.", "birthday", ("gave", "made")),
    ("{a} and {b} both wanted the {o}. They shouted and did not speak for two days. Then {b} said sorry and shared it.",
     "{b} and {a} quarrelled about the {o} but shared it in the end.", "both wanted",
     ("shared", "sorry", "friends", "peace")),
    ("{a} and {b} ran a race for the {o}. {a} was faster, but {he} lay down to sleep. {b} ran on and came in first.",
     "{b} won the race for the {o} because {a} slept.", "ran a race", ("won", "beat", "first")),
    ("{a} was hungry and had no food. {b} had two {f}s. {Bhe} sat down with {him} and gave {him} one.",
     "{b} shared {bhis} {f}s with {a}.", "had no food", ("shared", "gave", "fed")),
    ("{b} told {a} that there was {an_o} {p}. {a} ran there and found nothing. {b} laughed and kept the {o}.",
     "{b} tricked {a} and kept the {o}.", "found nothing", ("tricked", "fooled", "lied", "kept")),
]  # fmt: skip

# beginning, ending, a phrase that only this beginning has, and words of which an ending must have one
CONTINUATIONS = [
    ("{a} was very hungry. There was {an_f} on the table {p}.", "{He} took the {f} and ate it.", "was very hungry",
     ("ate", "eat", "bit", "eating")),
    ("{a} was tired after the long walk with {b}. It was night, and the bed was warm.",
     "{He} lay down and slept until the morning.", "was tired after", ("slept", "sleep", "asleep", "bed")),
    ("It began to rain hard. {a} and the {o} were getting wet {p}.", "{He} took the {o} and ran home.",
     "began to rain", ("ran", "home", "dry", "inside", "hid")),
    ("{a} had lost the {o}. {b} wanted to help {him}.", "{b} looked for the {o} until {bhe} found it.",
     "wanted to help",
     ("found", "looked", "searched", "find")),
    ("{a} had two {f}s and {b} had none.", "So {a} gave {b} one of the {f}s.", "had none", ("gave", "shared", "share")),
    ("{a} fell into the lake with {an_o} and could not swim. {b} heard {him} shout.",
     "{b} ran to the lake and pulled {him} out.", "could not swim", ("pulled", "saved", "helped", "threw", "help")),
    ("{a} broke {b}'s {o} by accident. {He} felt very bad.", "{He} said sorry to {b} and mended the {o}.",
     "by accident", ("sorry", "mended", "repaired", "new", "forgave")),
    ("{b} had a birthday. {a} had made {an_o} for {bhim}.", "{a} gave the {o} to {b}, and {bhe} was happy.",
     "had a birthday", ("gave", "happy", "thanked", "smiled")),
    ("It was dark {p}, and {a} was afraid. Then {b} came with a lamp.",
     "Now {a} could see and was not afraid any more.", "with a lamp",
     ("see", "saw", "afraid", "happy", "light", "glad")),
]  # fmt: skip

# three steps in their order
SEQUENCES = [
    ("{a} found {an_o} {p}.", "Then {he} carried it home.", "At home {he} gave it to {b}."),
    ("In the morning {a} worked {p}.", "At noon {he} ate {an_f}.", "In the evening {he} danced with {b}."),
    ("First {a} lost the {o} {p}.", "Then {he} looked for it all day.", "At last {b} found it."),
    ("{a} planted a seed {p}.", "After a week it was a small plant.", "In summer it had a flower, and {b} picked it."),
    ("One day {a} bought {an_o}.", "The next day {he} showed it to {b}.", "A week later {b} bought one too."),
    ("{a} and {b} quarrelled about the {o}.", "After that they did not speak for a day.",
     "In the end they were friends again."),
    ("{a} broke the {o}.", "So {he} took it to {b}.", "{b} mended it and gave it back."),
    ("On Monday {a} lay ill in bed.", "On Tuesday {b} brought {him} {an_f}.", "On Wednesday {he} was well again."),
]  # fmt: skip

OPPOSITES = [
    ("big", "small"), ("old", "young"), ("old", "new"), ("happy", "sad"), ("slow", "fast"), ("heavy", "light"),
    ("black", "white"),
]  # fmt: skip

# kind -> phrasings of training, and phrasings that only validation and test have
PHRASINGS: dict[str, tuple[list[str], list[str]]] = {
    "fact": (["Answer the question.", "What do you know about animals? Answer.", "Give a short answer."],
             ["Please answer this question about animals."]),
    "list": (["Answer the question.", "Give two names.", "Name two animals."], ["List two animals that fit."]),
    "comprehension": (["Read the text and answer the question.", "Answer with the help of the text.",
                       "What does the text say? Answer the question."], ["Use the text to find the answer."]),
    "sentiment": (["Is the text positive or negative?", "Say whether this ends well: positive or negative.",
                   "What is the feeling of the text, positive or negative?"], ["Positive or negative? Decide."]),
    "summary": (["Say it in one sentence.", "Sum up the story in one sentence.", "Write a summary in one sentence."],
                ["Tell the story in a single sentence."]),
    "past": (["Rewrite the sentence in the past tense.", "Put the sentence into the past.",
              "Tell it as if it was yesterday, in the past tense."], ["Change the verb to the past tense."]),
    "plural": (["Make the first noun plural.", "Rewrite the sentence with a plural subject.",
                "Put the subject into the plural."], ["Change the subject from one to many."]),
    "opposite": (["Say the opposite.", "Rewrite the sentence with the opposite word.",
                  "Turn the adjective into its opposite."], ["Swap the adjective for its opposite."]),
    "ordering": (["Put the sentences in the right order.", "In which order did this happen?",
                  "Order the parts of the story."], ["Sort the sentences as they happened."]),
    "choices": (["Write a question with four choices about the sentence.", "Make a quiz question with four choices.",
                 "Turn the sentence into a question with choices."], ["Write a multiple choice question on this."]),
    "grammar": (["Correct the grammar.", "Find and mend the mistake.", "Write the sentence without the mistake."],
                ["There is an error here, fix it."]),
    "french": (["Translate into French.", "Say it in French.", "Write the sentence in French."],
               ["What is this in French?"]),
    "continuation": (["Continue the story.", "What happens next? Write one sentence.", "Write the next sentence."],
                     ["How does the story go on?"]),
}  # fmt: skip
