"""More questions that need a fact without naming it, for the facts that a reader learns with.

What a hint means a small model learns from many different ones, not from a few
that come again and again.
"""

from __future__ import annotations

from ondevice.learning.reader.statements import split_templates

_TEXT = """
locker code: My towel and shoes are locked away after the workout. How do I get at them? / Which combination do I dial in the changing room?
email password: My inbox asks me to prove that it is me. What do I enter? / I want to read my messages on a new computer. What does it ask for?
number plate: The car park machine wants to know which car is mine. What do I enter? / I got a speeding ticket. Which letters are on it?
library card number: I want to borrow a novel online. Which number does the form need? / What must I enter to reserve a book?
booking reference: The airline wants to find my reservation. What do I tell them? / I want to change my seat on the plane. What will they ask me for?
membership number: I am renewing my subscription to the club. What do they need? / The association cannot find me in its list. What do I tell them?
wifi password: My new phone wants to join the network at home. What do I type? / My mother is visiting and her tablet has no internet. What does she need?
insurance number: The receptionist at the clinic fills in my form. What does she need? / I broke my leg abroad. Which number do I give the hospital?
order number: The shop says it never heard of my purchase. What proves it? / I want to send the shoes back. What do I write on the slip?
laptop password: I opened the lid and the screen asks for something. What? / How do I unlock my notebook?
tax number: I am filling in my return for the revenue. What goes at the top? / My employer needs something for the revenue service. What is it?
alarm code for the office: I was the first at work and a siren starts. What do I press? / How do I stop the siren at work?
student number: The university wants to find my grades. What do I give them? / What do I write on my thesis below my name?
garage code: My car is home and the big door is closed. What do I enter? / How do I open the door to my car?
birthday date: When should the cake with candles be ready for me? / When will people sing for me? / When can I expect cards and balloons?
wedding anniversary date: When do my spouse and I celebrate? / For when should I book a candlelight dinner with my spouse? / When do we drink to the day we said yes?
driving test date: When will an examiner sit beside me in the car? / When could I get my licence?
exam date: When will I sit in a silent hall with a pen? / Until when should I study every evening?
moving day date: When do all the boxes have to be packed? / When do I hand over the keys of the old flat? / For when should I rent a lorry?
first day at school date: When did I first carry a satchel? / When did I meet my first classmates?
operation date: When must I be in hospital with an empty stomach? / When will I be under anaesthetic?
holiday date: When can I switch off the alarm clock and go away? / When will my out-of-office message start?
deadline date: Until when can I still work on the paper? / When is it too late to send it in?
concert date: When will I be on stage? / When do I listen to live music?
due date date: When will the baby be born? / When should the cradle be ready?
last day of work date: When do my colleagues say goodbye to me? / When will I hand in my badge?
eye test date: When will I read small letters on a wall? / When do I find out whether I need glasses?
yoga class time: When do I stretch with the others? / When should I be in the studio in soft clothes?
lunch break time: When can I leave my desk for a sandwich? / When am I free around midday?
night shift time: When must I be at work while others go to bed? / When should I drink a coffee before my long night?
job interview time: When must I sit there in a suit? / When will they ask me about my strengths?
haircut time: When do I sit under the scissors? / When will my fringe be shorter?
video call time: When should I sit in front of the screen with combed hair? / When do I see the others online?
swimming lesson time: When do I put on my goggles? / When do I learn the crawl?
parents' evening time: When do I hear how my child is doing in class? / When must I sit on a tiny chair at school?
train home time: By when must I be on the platform this evening? / When does my journey back begin?
doctor's appointment time: When will somebody listen to my heart and lungs? / When should I show up at the practice?
dinner with friends time: When do we meet to eat? / For when is the table reserved?
favourite book: Which story could I read a third time? / What lies on my bedside table most often?
favourite song: What do I sing in the shower? / Which tune should be played at my wedding?
favourite series: Which show do I never miss? / What do I binge at the weekend?
favourite painting: Which work of art moves me most? / Which poster would I buy in the museum shop?
favourite play: Which drama moves me most on stage? / For which piece would I always buy a ticket?
favourite poem: Which lines would I recite? / Which verses touch me?
favourite album: What would I take to a desert island to listen to? / What do I put on the record player?
favourite magazine: What do I leaf through on Fridays? / To which periodical should somebody give me a subscription?
favourite colour: Somebody knits me a scarf. Which wool should they take? / Which paint would make me happiest?
front door colour: The postman looks for my house. What should he look for? / What do you see when you stand before my home?
coat colour: Somebody picks me up in winter. What am I wearing? / Mine hangs among twenty others on the rack. Which one is it?
sofa colour: I am buying a blanket for the living room. What must it go with? / On what do I sit when I watch television, and how does it look?
suitcase colour: My luggage got lost. How do I describe it? / Which one on the belt is mine?
favourite food: What would be my last meal? / The cook wants to please me. What should be made?
usual order: What do I always take at that place? / The waiter smiles and knows already. What will he bring?
best recipe: Guests are coming. What should I make to shine? / What do friends beg me to cook?
favourite drink: Somebody wants to treat me to a glass. Of what? / What should be in my cup or glass?
favourite animal: Which creature should be on my mug? / Which documentary about nature would I love?
favourite sport: What do I like to do to sweat? / Which club should I join?
weekend sport: What am I doing on Saturday mornings in trainers? / What keeps me moving when the week is over?
favourite subject: For which teacher did I always do my homework? / In what did I get my best marks?
worst subject: In what did I get my worst marks? / What did I need private lessons in?
home town: Where do I go back to when I miss my roots? / Where did my family always live?
favourite city: Which place could I visit again and again? / For which town should I buy a guide as a treat?
next destination: Where does my next trip take me? / What is on my ticket?
shoe size: I am ordering sneakers online. What do I click? / The assistant brings a pair of sandals for me to try. Which?
trouser size: My new chinos should fit. What do I look for on the label? / Which jeans could my friend buy for me?
PIN: I am paying with my card. What do I type? / The little machine at the till waits. What do I enter?
phone code: The screen of my mobile is dark. How do I get in? / I want to send a text but the display is locked. What do I enter?
bicycle lock code: I want to ride home but the chain is closed. What do I dial? / How do I get the chain off my two wheels?
office: A visitor asks where I sit at work. What do I say? / Which door has my name on it?
bus line: I am at the stop. Which one do I get on? / Which one takes me home from the stop?
classroom: Where do I have to be when the bell rings? / My daughter brings my lunch to school. Where am I?
jersey number: How do the fans recognise me on the pitch? / What is printed on my shirt for the match?
parking space: I come out of the lift in the basement. Where is my vehicle? / Where may I leave my car?
gate: I passed security. Where do I go now? / Where does boarding begin for me?
rent: What does my landlord take each month? / What does living here cost me?
budget for the trip: How much money may I spend while I am away? / What is the limit for my travels?
monthly pension: How much lands in my account now that I am retired? / What do I live on in my old age?
electricity bill: How much do I pay for light and sockets? / What do all my appliances cost me?
deposit: How much did I leave with the owner of the flat as security? / What sum do I get back if nothing is broken?
pocket money: How much may I spend on sweets? / How much do Mum and Dad give me each week?
height: Would I fit through a low door? / What does the measuring tape say when I stand at the wall?
desk width: Would a big monitor fit at my workplace? / How much space is there for my keyboard and papers?
year of birth: When did I come into the world? / Which vintage am I?
wedding year: Since when have I been married? / When did I put on the ring?
phone number: Somebody wants to ring me. What do they dial? / What do I write down for somebody who should call me?
work number: A customer wants to ring me at my desk. What do they dial? / What stands on my business card after 'Tel.'?
way to work: How much time do I lose on the road before my day starts? / How long before the first meeting must I leave?
best time over ten kilometres: What is my personal record in the park run? / What must I beat in the next race?
name: What should be on my badge? / What do I answer when somebody asks who I am? / How do people address me?
stage name: What is on the posters when I play? / What does the crowd shout for an encore?
maiden name: Under which name did I go to school? / What was on my door bell when I was single?
employer: Where do I work? / For whom do I get up in the morning? / Who signs my contract?
phone provider: Who sends me the bill for my calls? / With whom do I have a contract for my mobile?
gym: Where do I go to use the treadmill? / Where do I have a locker and a trainer?
supermarket: Where do I push my trolley? / Where do I go when the fridge is empty?
insurance company: A tree fell on my car. Whom do I call? / Who covers the damage?
old school: Where did I learn sums and grammar? / Where are all my old classmates from?
biggest client: Whom must I not lose in business? / From whom comes most of my income?
newspaper: What is in my letter box every morning? / What do I unfold with my coffee?
profession: What do I do all day? / What did I train for? / What would I say at a party when they ask what I do?
dream job: What would I do if I could start again? / Which career did I imagine when I was small?
side job: What do I do after hours for a few extra coins? / What do I do besides my main work?
home address: I ordered a pizza. Where should they bring it? / A taxi is to take me home. What do I tell the driver?
work address: The courier has something for my desk. Where does he go? / Where do I get out when I go to the office?
old address: My letters still go to the wrong house. Which one? / Where did I move away from?
hobby: What do I do to relax? / I have an afternoon for myself. What will I be doing? / What do I spend my spare money on?
new passion: What can I not stop talking about lately? / What keeps me up at night with joy these days?
home country: Which anthem do I sing? / Which flag would I wave? / Which embassy helps me abroad?
dream destination: Where should I go if I won the lottery? / Which stamp do I want most in my passport?
mother tongue: In what do I dream and count? / What did my parents speak to me?
weakest language: In which one am I always lost for words? / When do I need an interpreter most?
goal: What do I want to achieve? / Why do I work so hard? / What is on my list for this year?
secret wish: What would I do if I dared? / What do I wish for when I see a shooting star?
sister name: Who is my parents' daughter besides me? / With which girl did I share a room?
brother name: Who is my parents' son besides me? / With which boy did I fight over toys?
mother name: Who sang me to sleep when I was little? / Whom should I call on Mother's Day? / Who is married to my father?
father name: Who taught me to ride a bike, as dads do? / Who is married to my mother?
wife name: Who said yes to me in a white dress? / For which lady do I buy flowers on our anniversary?
husband name: Who is the man with the other ring? / Which man snores beside me?
partner name: With whom do I share my life? / Whom do I kiss good night?
son name: Which lad calls me his parent? / For which boy do I buy school books?
daughter name: Which young lady calls me her parent? / For which girl do I plait hair?
best friend name: Whom do I call when I have a secret? / Who knows everything about me? / Who would be my witness at a wedding?
boss name: Who decides on my salary? / Whom must I tell that I am ill and cannot come to work? / Who leads my team?
neighbour name: From whom could I borrow sugar across the landing? / Who hears my music through the wall?
dentist name: I need a filling. Whom do I ring? / Who looks at my teeth?
landlord name: The tap in my flat drips. Whom do I tell? / To whom does the flat belong that I live in?
teacher name: Who marks my tests? / Who stands at the blackboard in my class?
hairdresser name: I want a new hairstyle. Whom do I see? / Who dyes my hair?
therapist name: Who listens to me on the couch? / Whom do I tell about my fears every week?
gardener name: Who trims my hedge? / My roses need help. Whom do I call?
vet name: The dog limps. Who should look at him? / Who gives my animals their jabs?
driving instructor name: Who shouts 'brake!' beside me? / Who teaches me to change gears?
trainer name: Who makes my fitness plan? / Who counts while I lift weights?
editor name: Who cuts my sentences before they are printed? / To whom do I send my manuscript?
grandson name: For which boy do I knit as a grandparent? / Which little one calls me Granny or Grandpa?
godmother name: Who promised in church to look after me? / Who stood at the font for me?
twin name: Who looks just like me? / With whom did I share my mother's belly?
stepfather name: Who is my mother's new man? / Who moved in with Mum when I was young?
mother-in-law name: Whose child did I marry? / Who brought up my spouse?
mechanic name: My brakes squeak. Who repairs them? / Who changes my tyres and oil?
butcher name: Where should I get the roast, from whom? / Who sells me my Sunday roast?
tailor name: My trousers are too long. Who shortens them? / Who takes my measurements for a suit?
chess partner name: Whom do I try to checkmate? / Who plays black when I play white?
business partner name: Who owns the other half of my company? / With whom do I share the profits of my firm?
travel companion name: With whom will I share the tent and the maps? / Who comes along on my journey?
pen friend name: Whose letters with foreign stamps do I wait for? / With whom do I correspond?
assistant name: Who keeps my calendar? / Whom do I ask to book me a meeting room?
first love name: Whom did I kiss first? / Whose initials did I carve into a tree?
dog name: Who barks when the bell rings at my door? / What is engraved on the tag of my four-legged friend? / Who fetches my stick?
cat name: Who scratches my furniture? / Who brings me mice?
horse name: Whom do I ride? / Who gets my carrots in the stable?
hamster name: Who fills his cheeks with seeds in my room? / Who lives in the small cage?
goldfish name: For whom do I change the water? / Who gets flakes from me?
goat name: Who gives me milk and bleats? / Who climbs on everything in my yard?
donkey name: Who brays in my meadow? / Whose long ears do I stroke?
teddy bear name: Who slept in my arms when I was three? / Which stuffed friend is on my shelf?
spare key place: The door fell shut behind me. Where is help? / My sister wants to get into my flat while I am away. Where should she look?
umbrella place: Dark clouds! Where do I find something against the wet? / How do I stay dry, where must I reach?
wallet place: I need some cash. Where must I look? / Where is my money?
torch place: There is a power cut. Where do I reach? / I must go to the dark cellar. Where do I find light?
diary place: I want to note my secrets. Where must I look? / Where are my secret thoughts written down?
first-aid kit place: Somebody is bleeding. Where are the plasters? / I need a bandage. Where do I look?
camera place: There is a rainbow and I want to photograph it. Where do I look? / I need my lens. Where is it likely to be?
guitar place: Friends want me to strum something. Where is what I need? / Where are my six strings?
tent place: We want to sleep outdoors. Where do I look? / Where is our roof for the campsite?
sewing machine place: The hem is torn. Where do I find what I need? / I want to make a skirt. Where is the thing for it?
ladder place: I must clean the gutter. Where do I look? / The cherries hang too high. Where do I find help?
suitcase place: We leave tomorrow and my clothes lie on the bed. Where do I look? / What I need for my clothes on the trip is where?
charger place: The battery is at two per cent. Where do I look? / My mobile is dying. Where is the cable?
driving licence place: I want to rent a car. Where is my paper for it? / Which place should I check before I take the wheel?
winter coat place: It is snowing. Where do I find something warm? / I am shivering and want to go out. Where do I look?
climbing company: Who secures me on the wall? / Who ties in with me at the rock face?
fishing company: Who helps me to land the pike? / With whom do I wait for a bite?
dancing company: With whom do I waltz? / Who leads or follows me on the floor?
running company: With whom do I train for the marathon? / Who jogs beside me?
hiking company: Who carries the other rucksack to the summit? / With whom do I rest at the hut?
shopping company: Who tells me whether the dress suits me? / Who carries the other bags through the mall?
swimming company: With whom do I do lengths? / Who dives in after me?
skiing company: Who shares the chairlift with me? / With whom do I spend the day on the snow?
plants number: How many pots stand on my windowsills? / How much green is in my flat?
records number: How many discs can I put on the turntable? / How many sleeves stand on my shelf with music?
chairs number: How many people could sit down at my place? / How many guests need not stand?
pairs of shoes number: How much is on my shoe rack? / How many times could I change my footwear?
cookbooks number: How many collections of recipes do I possess? / How much stands on the shelf beside the stove?
bottles of wine number: How often can I still uncork something? / How much is in my rack in the cellar?
teapots number: In how many ways could I serve Earl Grey? / How many pots for tea do I possess?
stamps number: How large is my philatelic collection? / How many little pictures from letters do I have?
the gym day: When do I lift weights? / When am I on the treadmill?
the market day: When do I walk past the stalls with my basket? / When do I get fresh eggs from the farmer?
church day: When do I sing hymns? / When do I sit in a pew?
the chess club day: When do I move bishops and knights? / When do I checkmate people?
the pottery course day: When do I sit at the wheel and form bowls? / When do I make vases?
Spanish lessons day: When do I say 'buenos días' to a teacher? / When do I practise the subjunctive?
the team meeting day: When do we discuss the week at work? / When must I report to the others in the office?
the sauna day: When do I sweat on a wooden bench? / When do I pour water on hot stones?
the children purchase: What did I bring home for the little ones? / What do I hide from the kids until they are good?
Mother's Day purchase: What will Mum unwrap? / What will I give to the woman who raised me?
the new flat purchase: What did I get to furnish my rooms? / What is new at my place?
the office party purchase: What did I take to the celebration at work? / What did I get for the team's celebration?
the wedding purchase: What will the couple unwrap? / What did I take to the church for the couple?
Christmas purchase: What will be under the tree? / What did I buy for the 25th of December?
a conference trip: Where did I give a talk and wear a badge? / Where did I listen to experts?
a funeral trip: Where was I dressed in black? / Where did we bury somebody?
a football match trip: Where did I cheer for eleven players? / Where did I stand on the terraces?
a language course trip: Where did I learn to speak with the locals? / Where was I a pupil again, abroad?
a job trip: Where did work take me? / Where was I sent by my company?
a school reunion trip: Where did I see who has gone bald? / Where did we talk about our old teachers?
kitchen colour: I need a new cupboard above my stove. What must it match? / What do the walls around my oven look like?
fence colour: Which tin should I buy for the boards outside? / What do passers-by see in front of my garden?
scooter colour: How do I find my two-wheeler among the others? / How would I describe my stolen ride to the police?
caravan colour: How do I find my home on wheels on the campsite? / What does my holiday home on wheels look like?
helmet colour: How would I be recognised on a motorbike? / What does the thing look like that protects my skull?
home: Where does my morning start? / Which mayor do I vote for? / Where would a letter reach me, in which town?
birthplace: Where was my mother when I came into the world? / Where was my cradle?
instrument: On what could I accompany a singer? / What do my neighbours hear me practise?
learning: What do I repeat with flashcards? / What will I be able to speak soon?
allergy: What makes me sneeze or swell up? / What should a nurse write on my wristband?
car: What is parked in front of my house? / What do I fill up at the petrol station?
studies: What will my degree be in? / What are my textbooks about?
age: Am I old enough? How many years have I lived? / What is the difference between this year and the year I was born?
dentist appointment: When will I hear the drill? / When should I have brushed my teeth extra well?
fear: What makes me scream? / From what would I run away?
travel: Which currency should I change money into? / For which place do I need a visa?
flight: What do I look for on the departures board? / Which plane takes me away?
commute: How do I get to my desk in the morning? / In what way do I travel on working days?
pets: Who lives with me and cannot talk? / What will the vet see when I come?
collects: What is in the pots behind my railing? / What blooms outside my window?
married: Who shares my bed and my surname? / With whom did I exchange vows?
loan: What must I pay back month by month? / How deep am I in the red?
train time: When must I be on the platform in the morning? / When do the doors of my carriage close in the morning?
gift for me: What should people chip in for on my special day? / What would make my eyes shine under the tree?
fan: For whom do I shout on Saturdays? / Whose victory makes my weekend?
grew up: Where did I spend my school days? / On which streets did I play as a kid?
reads: What kind of books should you give me? / In which corner of the library do you find me?
cooks: What is on my table each week after church? / What do I make in the big pot every week?
hospital: Where can you visit me with flowers while I am ill? / Behind which door is my sickbed?
met: Where did I get to know the person I trust most? / Where did our friendship start?
"""

HINTS = {
    key.strip(): split_templates(text)
    for key, _, text in (line.partition(": ") for line in _TEXT.strip().splitlines())
}
