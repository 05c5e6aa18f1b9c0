// Texts to begin with, about the default corpus.
export const EXAMPLES = {
  chat: [
    "What does the owl eat?",
    "Make a sentence with the words fox and river.",
    "Anna had the key. Tom had the ball. Who had the ball?",
  ],
  spam: [
    "Your account is locked. To open it, send us the code you just got.",
    "Shall we meet at the station at six? I will bring the tickets.",
  ],
  translate: ["the lion is in the forest", "the small dog sees the red bird"],
  inside: [
    ["A feeling", "Paul won a prize. That is why Paul was"],
    ["A fact", "When you see the frog, it is"],
    ["Who of two", "Anna lost her ring. Anna was sad. Tom won a prize. The one who was sad was"],
  ],
};
