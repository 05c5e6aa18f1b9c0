"""The phrases of the messages: who asks whom to do what, in the same words on both sides.

The slots harm and favour are what a cheat and what a friend or an honest office asks for; the scenes are written in
pairs, so that prize, parcel, fee, code, account, loan and free stand on both sides and only their roles tell spam from
ham. A long pattern goes on in the next line without a comma.
"""

SLOTS: dict[str, list[str]] = {
    "name": ["Ben", "Anna", "Tom", "Ella", "Sam", "Lucy", "Max", "Ruby", "Jack", "Nora", "Leo", "Ivy", "Finn",
             "Rosa", "Hugo", "Mia", "Adam", "Clara", "Paul", "Edith"],
    "kin": ["mum", "dad", "grandma", "grandpa", "auntie", "love", "mate", "dear", "sis", "bro"],
    "when": ["today", "tomorrow", "(Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday)",
             "this (week|weekend|evening|afternoon)"],
    "day": ["today", "tomorrow", "on (Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday)",
            "this (week|weekend|evening|afternoon)"],
    "past": ["yesterday", "last (night|week|weekend|month)", "this morning",
             "on (Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday)"],
    "hour": ["(9|10|11)[(:15|:30|:45)]am", "(1|2|3|4|5|6|7|8)[(:15|:30|:45)]pm", "(1|2|3|4|5|6|7|8) o'clock", "noon",
             "half past (two|three|four|six|seven)"],
    "sum": ["(15|20|25|30|40|50|60|75|80|90|120|150|200|250|300|400|500|650|900|1000|2000|5000) pounds"],
    "fee": ["(1.45|1.99|2.50|2.99|3.20|4.75|6.40|8) pounds"],
    "code": ["(1|2|3|4|5|6|7|8|9)(0|1|2|3|4|5|6|7|8|9)(0|1|2|3|4|5|6|7|8|9)(0|1|2|3|4|5|6|7|8|9)"],
    "phone": ["0(7|8|9)(1|2|3|5)(0|4|6|7|9) (1|2|3|4|5|6)(0|7|8|9)(2|4|6|8)(1|3|5|7|9)"],
    "short": ["(6|7|8)(0|1|2|3|4|5)(4|5|6|7|8|9)(1|2|3)(0|5)"],
    "url": ["{host}.example[/(in|go|me|{code}|now|info)]"],
    "host": ["foxmail", "hilltop", "riverbank", "greenleaf", "owlpost", "quickhare", "oldmill", "badgernet",
             "lakeview", "sunnyhill", "redbarn", "millpond"],
    "bank": ["Hill Bank", "River Bank", "Fox & Sons Bank", "Old Mill Bank", "Lakeside Bank", "North Bank"],
    "carrier": ["Owl Post", "Swift Parcels", "Hare Express", "The post office", "Badger Freight"],
    "shop": ["Green Leaf", "The Red Barn", "Hilltop Books", "Lakeview Shoes", "Magpie & Co", "Old Mill Bakery",
             "Sunny Phones"],
    "prize": ["a (new|brand new|free) (phone|bike|tablet|watch|television)",
              "a (weekend|week|holiday) (at the lake|in the hills|by the sea)",
              "a gift card", "{sum}", "two (free )tickets", "a (big )basket of fruit"],
    "thing": ["phone", "bike", "watch", "coat", "camera", "sofa", "book", "lamp", "guitar", "tent"],
    "game": ["match", "quiz", "race", "chess game", "final", "card game", "school draw", "raffle"],
    "food": ["soup", "pizza", "cake", "fresh bread", "curry", "apple pie", "a hot stew", "fish"],
    "place": ["the mill", "the lake", "the station", "the library", "the pub", "the park", "school", "the market",
              "work"],
    "hi": ["", "", "Hi {name}, ", "Hello {name}, ", "Hey, ", "Hi, ", "Hello, ", "{name}, ", "Good morning, "],
    "bye": ["", "", "", " Thanks", " Thank you", " xx", " See you", " Take care", " {name3}"],
    "stop": ["", "", " Thank you", " Reply STOP to stop these texts"],
    "soon": ["today", "now", "by {hour}", "before {hour}", "within (2|12|24|48) hours", "by (Monday|Friday|Sunday)"],
    "because": ["", "", " so we can go on", " and it is done", " before it is too late", " and all is well"],
    # What a cheat asks for: a click, a payment, a secret, a costly call, to somebody unknown.
    "harm": ["click {url} {soon}", "pay {fee} at {url}", "pay the fee of {fee} here: {url}", "call {phone} {soon}",
             "reply YES to {short}", "text (YES|OK|GO) to {short} {soon}", "send your card number to {phone}",
             "confirm your (code|card|number) at {url}", "log in at {url} and confirm your card",
             "send us the code you just got",
             "tell us your code and your date of birth", "open {url} and put in your card number",
             "send {fee} first to {phone}"],
    # The same told of somebody else: "she nearly did …".
    "deed": ["click {url}", "pay {fee} at {url}", "pay a fee of {fee}", "call {phone}", "reply YES to {short}",
             "text (YES|OK|GO) to {short}",
             "send a card number to {phone}", "confirm a (code|card|number) at {url}", "log in at {url}",
             "open {url}", "send {fee} to {phone}"],
    # What friends and honest offices ask for: the same words, another doer.
    "favour": ["click like on the photo {soon}", "pay me back the {fee} {day}",
               "pay {name4} the {fee} for the tickets", "call me {soon}",
               "reply yes if you can come", "text me when you are (home|there|done)", "send me {name4}'s number",
               "send me the photos",
               "confirm {hour} with {name4}", "confirm the table for {when}", "look at {url}, my photos are there",
               "open the door for the post {day}", "tell me the code of the (shed|bike lock|front door)",
               "bring your card and a photo",
               "call {phone} if you are late", "text {name4} on {phone} {soon}"],
    # What a spam message opens with; ham quotes it, asks about it, laughs at it.
    "bait": ["you won {prize}", "your parcel is on hold", "your account at {bank} is locked",
             "you can have {sum} {day}",
             "your {thing} is ready to be sent", "your free month ends {day}", "your card was used for a {thing}",
             "somebody near you wants to meet you", "you have a new photo from {name5}", "your loan of {sum} is ready",
             "there is {sum} waiting for you", "you paid too much tax", "your number was drawn {past}"],
    # What an honest message reports, in the bait's words.
    "news": ["we won {prize} at the {game}", "your parcel is with the neighbours",
             "my account at {bank} is locked again", "you can have the car {day}",
             "your {thing} is ready, I mended it", "my free month at the gym ends {day}",
             "I used my card for the {thing}",
             "somebody from work wants to meet you", "I have a new photo of {name5}", "my loan is paid at last",
             "there is {food} waiting for you", "I paid too much for the {thing}",
             "{name5}'s number was drawn at the school raffle"],
}  # fmt: skip

SPAM = [
    # prizes
    "{hi}{bait}! [Just ]{harm}{because}.{stop}",
    "{hi}{bait}. To (claim|get|keep) it, {harm}.{stop}",
    "Congratulations {name}, you won {prize} in our draw {past}! To claim it {harm}.",
    "{shop}: thank you for playing. You are the winner of {prize}, {harm}.{stop}",
    "We tried to call you {past}. You won {prize}, so {harm}.{bye}",
    "We won, you won! Our (club|shop) gives {prize} to everybody who plays. (Come on|Hurry), {harm}.",
    "{hi}the winner of our {game} is you, well done! The prize is {prize}. {harm}.{bye}",
    # parcels
    "{carrier}: your parcel is (at our desk|on hold|on its way back), {harm} or it goes back.{stop}",
    "{carrier}: nobody was home {past}. For a new time {harm}.{stop}",
    "{hi}your parcel with the {thing} comes {day} when you {harm}.{stop}",
    "{carrier}: the address on your parcel is wrong, {harm}{because}.{stop}",
    # bank, accounts
    "{bank}: your account is locked. To open it {harm}.",
    "{bank}: somebody paid {sum} with your card {past}. Was it not you? {harm}.",
    "{bank}: your code is {code}. Was it not you? Then {harm}.",
    "{bank}: for your safety we never ask for your code by phone. {harm}.",
    "{hi}this is {name2} from {bank}. I am here to help with your card, {harm}.{bye}",
    "{bank}: no need to come in {day}. {harm}{because}.",
    # loans, money
    "{hi}need {sum} {day}? No bank, no questions, {harm}.{stop}",
    "{hi}your loan of {sum} is paid out {day} once you {harm}.{stop}",
    "{hi}you paid too much tax, {sum} in all. {harm}, we pay it back {day}.{stop}",
    "{hi}I work from home and earn {sum} a day, you can do it too. {harm}.{bye}",
    "I turned {fee} into {sum} in a week and so did {name}. {harm}{because}.",
    "{hi}I am ill and have no family, so I leave you {sum}. For the papers {harm}.",
    # subscriptions
    "{shop}: your free month ends {day}. If you do not want to pay {sum}, {harm}.{stop}",
    "{shop}: you joined our club for {fee} a week. To leave, {harm}.{stop}",
    "{hi}free (games|songs|films) {day}, no fee, nothing to pay. {harm}.{stop}",
    # dating
    "{hi}free tonight? I saw your photo and like you. {harm}.{bye}",
    "{hi}I am {name2}, I am new here and home alone. To see my photos {harm}.",
    "{hi}do you remember me from {place}? I have a photo of us, {harm}.{bye}",
    # the false friend
    "Hi {kin}, my phone (broke|is lost), this is my new number. Can you send {sum} to {phone} {soon}?{bye}",
    "{kin}, it's me. I am at {place} and my card was stolen, please pay {sum} to my friend at {url}.",
    "Hi {kin}, are you home? I need {sum} {soon}, I cannot talk, text me on this number and not on the old one.",
    "{hi}it's {name2} from work. Please buy (3|four|five) gift cards {soon} and send me the codes, I am in a "
    "meeting.{bye}",
    # denial
    "{hi}this is no joke and no scam: {bait}. {harm}.{bye}",
    "{hi}did you get our text? {bait}, {harm}.{stop}",
    "{hi}we asked you {past} already, {bait}. {harm}{because}.",
    "Do not tell (anybody|your bank|your family): {bait}. {harm}.",
    "{hi}{news}! Now it is your turn, {harm}.{bye}",
    "{hi}dinner {day}? First {harm}, all my friends did it too.{bye}",
    # a cheat quotes a friend, a warning or the police
    "Your friend {name2} wrote to you: '{news}, {favour}'. To read on, {harm}.",
    "{name2} left you a message: '{favour}'. To hear it all, {harm}.{bye}",
    "{hi}{name2} has a photo of you and says '{favour}'. To see it, {harm}.{bye}",
    "{shop}: {name} bought a {thing} for you and says: '{favour}'. To get it, {harm}.{stop}",
    "Police: {bait}, and that is a scam. To stop it, {harm}.",
    "{bank}: {bait}. Do not answer any other text about it, {harm}.",
    "{hi}do not wait and do not ask your family, {harm}. {bait}!{bye}",
    "{hi}you will laugh when you see it: {bait}, and it is no lie. Just {harm}.{bye}",
    "{hi}somebody told us that {bait} and that you did not do it yet: {harm}.{bye}",
    "If you did not buy a {thing} {past}, it was a cheat. Say no to it, {harm}.",
    "{hi}your bank never asks for it, but we do, {bait}. {harm}.{bye}",
    "{hi}never pay for a {thing} again! {bait}, {harm}.{bye}",
    "{bank}: a cheat has your code. Before he can use it, {harm}.",
    "{hi}throw away the old text, it was wrong. The right one is: {bait}, {harm}.{bye}",
    # a cheat asks as a friend does
    "{hi}I saw you at {place}, you looked so good. Call me {soon}, {phone}, only {fee} a minute.{bye}",
    "{hi}look at {url}, my photos are there. They are only for you, ten for {fee}.{bye}",
    "Can you come to work {day}? No papers, no questions, {sum} an evening. Text {name} on {phone} {soon}.",
    "Call me {soon} on {phone}. I am the lawyer of your uncle {name}, and he left you {sum}.",
    "{hi}send me the photos of your card, both sides, and you have the {thing} {day}.{bye}",
    "Pay me {sum} {day} or I send your photos to all your friends and to work. Text me when you are done.",
    "{bank}: open the door {day}, our man comes at {hour} for your card. Tell him the code.",
    "{hi}pay {name2} the {fee} for the tickets and {prize} is yours. You do not know us yet, but you won.{bye}",
    "{hi}bring your card and {sum} to {place} {day}, and I tell you how I got rich. Reply yes if you can come.{bye}",
    "{shop}: we sold you a {thing} {past} and owe you {sum}. Tell us the code of your card and it is paid back.{stop}",
]  # fmt: skip

HAM = [
    # prizes
    "{hi}{news}! [Just ]{favour}{because}.{bye}",
    "{hi}{news}. (When you can|If you like), {favour}.{bye}",
    "Congratulations {name}, you won the {game} {past}! The whole (class|club|team) is proud, {favour}.",
    "{shop}: thank you for playing in our {game}. {name} won {prize}, the rest of us won a good day.{stop}",
    "We tried to call you {past}. We won the {game}, so {favour}.{bye}",
    "We won, we won! Our club gives {prize} to {name}, who played so well. (Come on|Hurry), {favour}.",
    "{hi}the winner of our {game} is {name2}, well done! The prize was {prize}. {favour}.{bye}",
    # parcels
    "{carrier}: your parcel is at our desk, nothing to pay. Bring your card, we are open till {hour}.{stop}",
    "{carrier}: nobody was home {past}. We come again {day2}, you need not do anything.{stop}",
    "{hi}your parcel with the {thing} came {past}. I paid the {fee}, {favour}.{bye}",
    "{carrier}: your parcel comes {day} at {hour}. Not home? We leave it with a neighbour.{stop}",
    # bank, accounts
    "{bank}: your account is open now. Your card comes by post {day}, you need not click or confirm anything.",
    "{bank}: you paid {sum} at {shop} {past}. Was it not you? Call the number on the back of your card.",
    "{bank}: your code is {code}. Never tell it to anybody, we do not ask for it by phone.",
    "{bank}: for your safety never {deed} because a text says so. We do not ask for it.",
    "{hi}this is {name2} from {bank}. We said {hour} {day}, your loan papers are ready at the desk.{bye}",
    "{bank}: we are closed {day}. Come in {day2} and bring your card.",
    "{bank}: a cheat may say '{bait}, {harm}'. We never write so. Delete it.",
    # loans, money
    "{hi}you need {sum} {day}? Ask your brother, not the bank, and {favour}.{bye}",
    "{hi}our loan of {sum} is paid out {day}, we can buy the house! {favour}.",
    "{hi}I paid too much tax, {sum} in all. They pay it back {day}, dinner is on me.",
    "{hi}I work from home {day}, can you do the shop? {favour}.{bye}",
    "I turned {sum} into {fee} at the market and so did {name}. Ha ha. {favour}.",
    "{hi}I am ill and in bed, so I leave you the keys. {favour}.",
    # subscriptions
    "{shop}: your free month ended {past}, as you asked. There is nothing more to pay.{stop}",
    "{shop}: you left our club {past}. Sorry to see you go, no fee, no more texts.{stop}",
    "{hi}free (games|songs|films) in the park {day}, no fee, nothing to pay. {name2} comes too, {favour}.{bye}",
    # friends
    "{hi}free tonight? I saw your photo of the (mill|lake|park|garden|hills|sea) and want to go there with you. "
    "{favour}.{bye}",
    "{hi}I am at {name2}'s, home late. There is {food} on the table, {favour}.",
    "{hi}do you remember {name2} from {place}? I found a photo of us all, {favour}.{bye}",
    # family
    "Hi {kin}, my phone broke, this is {name}'s number. I am home at {hour}, no need to send anything.{bye}",
    "{kin}, it's me. I am at {place} and my bike was stolen, please come and get me {soon}.",
    "Hi {kin}, are you home? I need my keys {soon}, I am at {place}, I can talk till {hour}.",
    "{hi}it's {name2} from work. Please bring (3|four|five) chairs {soon} and the papers, we are in the small "
    "room.{bye}",
    # scams quoted
    "{hi}is this a joke or a scam? It says '{bait}, {harm}'.{bye}",
    "{hi}did you get this text too? '{bait}, {harm}' I will not do it.{bye}",
    "{hi}I told you {past} already, if they say '{bait}' do not answer. {favour}.",
    "Tell your family: '{bait}, {harm}' is a lie, the police say so.",
    "{hi}somebody wrote '{bait}'! Ha ha, {favour}.{bye}",
    "{hi}dinner {day}? First {favour}, all my friends come too.{bye}",
    "{hi}a man called: '{bait}'. He wanted me to {deed}. I laughed.{bye}",
    "{kin}, if a text says '{bait}, {harm}', throw it away, ok?",
    "{hi}{name2} nearly lost {sum}, it said '{bait}, {harm}'. Be careful.{bye}",
    "Your friend {name2} got this: '{bait}, {harm}'. I told him not to read on.",
    "{name2} left me a message: 'help, {bait}'. I will hear it all tonight, {favour}.{bye}",
    "Police: if a text says {bait}, that is a scam. To stop it, show it to us.",
    "{bank}: if a text says {bait}, do not answer and do not {deed}.",
    "{hi}do not {deed}, wait for me and ask your family. It says {bait}? A lie!{bye}",
    "{hi}you will laugh when you hear it: {bait}, they say, I just had to {deed}. Not me.{bye}",
    "{hi}somebody told grandma: '{bait}, {harm}'. She did not do it.{bye}",
    "{hi}if you did not buy a {thing} {past}, it was {name2}, who says sorry. {favour}.{bye}",
    "{hi}your bank never asks you to {deed}, but the cheats do. {favour}.{bye}",
    "{hi}never again will I {deed}. No {prize}, and my money is gone.{bye}",
    "{hi}a cheat had my code, so if my old number says '{harm}', do not do it.{bye}",
    "{hi}the text with '{harm}' was not from me, throw it away.{bye}",
    # honest offices ask as a cheat does
    "Dentist: we see you {day} at {hour}. If you cannot come, call {phone}.",
    "Library: your book about (owls|bikes|the sea|bread|old (mills|clocks)) is due {day}. To keep it longer, reply "
    "YES to {short}.",
    "Dr (Hart|Poole|Reed|Lamb|Moss|Webb): can you still come {day} at {hour}? Text YES or NO to {short}, there is no "
    "fee.",
    "{shop}: you asked us for a text when the {thing} is back. It is, come in {day} or click {url}.{stop}",
    "Ms (Hart|Poole|Reed|Lamb|Moss|Webb), class (1|2|3|4|5): the photos of the {game} are at {url}. The code is on "
    "the paper that your child brought home.",
    "Ms (Hart|Poole|Reed|Lamb|Moss|Webb), class (1|2|3|4|5): the trip is {fee}. Give it to your child in an envelope "
    "or pay at the school desk {soon}.",
    "{carrier}: thank you for your call {past}. As you asked, your parcel now comes {day}. Any questions? Call "
    "{phone}.{stop}",
    "{hi}I booked us a table at {hour} {day}. If you are late, call {phone}, that's the pub.{bye}",
    "Your bus to (Hilltop|Lakeview|Millpond|Greenleaf) leaves at {hour} {day}. Code {code}, show it to the driver. "
    "Bus is late? Call {phone}.",
    "{hi}new number, same {name2}. See you at the {game} {day}, as always.{bye}",
    # small talk
    "{hi}see you at {place} at {hour}, {favour}.{bye}",
    "{hi}can you get {food} and (milk|eggs|butter|tea) on your way home?{bye}",
    "Meeting moved to {hour} {day}, {place}. {favour}.{bye}",
    "{hi}how much was the {thing}? I owe you (15|20|25|30|40|60) pounds, I think.{bye}",
    "{hi}why did the (fox|owl|hare) open an account at {bank}? To have somewhere to keep its (change|sums|luck). Ha "
    "ha.{bye}",
    "Ok, {hour} then. {favour}.",
]  # fmt: skip

# Phrasings that nobody trains on: those of validation, by which settings are chosen, and those of the test.
SPAM_VALIDATION = [
    "{hi}good things come to those who wait: {bait}. All that is left is to {harm}.{bye}",
    "{shop}: we close down {day} and give away every {thing}. For yours, {harm}.{stop}",
    "{carrier}: your {thing} was too heavy for the post. {fee} are missing, {harm}.{stop}",
    "{bank}: our computers lost your data {past}. To help us, {harm}.",
    "{hi}my boss has {sum} too much and looks for somebody to keep it. Interested? {harm}.{bye}",
    "{name2} liked your photo (three|five|ten) times. Who is {name2}? {harm}.{bye}",
    "{hi}I lost my job and my flat {past}. A little help is enough, {harm}.{bye}",
    "Last call, {name}! {bait}, and at {hour} it is gone. {harm}.",
    "{hi}you may think '{bait}' is a lie. It is not, try it and {harm}.{bye}",
    "{name2} says '{favour}', and much more about you. The rest is for you alone, {harm}.",
    "Town hall: you owe {sum} for the water. So that it stays on, {harm}.",
    "{kin}, I sit at {place} with no money and no bus home. {harm}, I explain it all later.",
    "{bank}: beware of texts that ask you to {deed}. To be safe from them, {harm}.",
    "Who would not like {prize}? All our neighbours have theirs by now. {harm}.{stop}",
]  # fmt: skip

HAM_VALIDATION = [
    "{hi}good things come to those who wait: {news}. All that is left is to say thanks, {favour}.{bye}",
    "{shop}: we close early {day} and have every {thing} at half price. Come and look, no need to book.{stop}",
    "{carrier}: your {thing} was too heavy for the bike. The van brings it {day}, nothing is missing.{stop}",
    "{bank}: our computers are down {day}. Your money and data are safe, please come in {day2}.",
    "{hi}my boss has {food} left over and looks for somebody to eat it. Interested? {favour}.{bye}",
    "{name2} liked your photo of the (mill|lake|park|sea). Who took it? {favour}.{bye}",
    "{hi}I found a job and a flat {past}! A little party is what we need, {favour}.{bye}",
    "Last call, {name}! The {game} starts at {hour}, and after that the tea is gone. {favour}.",
    "{hi}you may think '{bait}' is true. It is not, so do not {deed}.{bye}",
    "{name2} says '{favour}', and much more that I forgot. The rest he can tell you at {place}.",
    "Town hall: no water {day} from {hour} on. You need not do anything, it comes back by itself.",
    "{kin}, I sit at {place} with no umbrella and no bus home. {favour}, I explain it all later.",
    "{hi}beware of texts that ask you to {deed}. One came to us {past}, {favour}.{bye}",
    "{hi}who would fall for '{bait}, {harm}'? Our neighbour read it out and laughed.{bye}",
]  # fmt: skip

SPAM_TEST = [
    "{hi}great news about your {thing}: it is yours and free. We only need one thing, {harm}.{stop}",
    "A friend of yours gave us your number, {name}. {bait}. {harm}.",
    "{carrier}: we have had a {thing} for you since {past}. {harm} and we bring it {day}.{stop}",
    "{hi}sorry to bother you. {name2} said you could help me out, I need {sum} for the ticket home, {harm}.{bye}",
    "{bank}: thank you for your visit. Our desk forgot one question, {harm}.",
    "Work with us {day}, {sum} for two hours, no boss. Places are few, {harm}.",
    "{hi}I think we met at {place}. Are you well? I lost my heart there. {harm}.{bye}",
    "School notice: your child's lunch account is empty. Today only: {harm}.",
    "{hi}they say you never win anything. Wrong! {bait}, {harm}.{bye}",
    "{name2} is looking for you and asks '{favour}'. If you want to know more, {harm}.",
    "Take care, {name}, many texts these days are scams. This one is from {bank}: {harm}.",
    "{hi}no, you are not dreaming and nobody is fooling you, {bait}. {harm}.{bye}",
    "{kin}, please do not be cross, I told nobody else. I broke a {thing} in the shop and they want {sum} {soon}. "
    "{harm}.",
    "Police: there is a fine of {sum} in your name. Nobody comes to your house if you {harm}.",
]  # fmt: skip

HAM_TEST = [
    "{hi}great news about your {thing}: I found it, it was under my coat. {favour}.{bye}",
    "A friend of mine needs your number, {name}, may I give it to her? {favour}.",
    "{carrier}: we left the {thing} for you by the (back door|shed|gate|bins) {past}, no fee.{stop}",
    "{hi}sorry to bother you. {name2} said you could help me with the sofa {day}, {favour}.{bye}",
    "{bank}: thank you for your visit. Your new card was sent by post {past}, please sign it.",
    "You work with me {day}, two hours at the desk, and the boss is away. {favour}.",
    "{hi}I think I lost my card at {place}. Are you still there? {favour}.{bye}",
    "School notice: (lunch|milk|the bus|the trip to the (mill|lake|market|sea)|the {game}) is free for (every "
    "child|class (1|2|3|4|5)) {day}. You need not pay or reply.",
    "{hi}they rang again: '{bait}, {harm}'. I put the phone down at once.{bye}",
    "{name2} is looking for you and asks '{favour}'. If you want to know more, ask at home.",
    "Take care, {name}, many texts these days are scams. This one came to my work: {bait}, {harm}.",
    "{hi}no, I am not dreaming and nobody is fooling me, whoever says {bait} wants my money. {favour}.{bye}",
    "{kin}, please do not be cross, I told nobody else. I broke the {thing} and I will pay for it, {favour}.",
    "{hi}the new girl at work was about to {deed}. I got there in time.{bye}",
    "The police came to school {past} to tell us what to do when a text says {bait}. Delete it, they said.",
]  # fmt: skip
